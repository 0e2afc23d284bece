/**
 * What the embedded cloud throws when it cannot start: a template that it does not support, a data directory or a port that it
 * cannot have. `message` is one line unless a template has several problems; `problems` has one line each.
 */
// @ts-nocheck

export class EmbeddedCloudError extends Error {
  override readonly name = "EmbeddedCloudError";
  readonly problems: readonly string[];

  constructor(problems: string | readonly string[], options?: ErrorOptions) {
    const lines = typeof problems === "string" ? [problems] : problems;
    super(lines.join("\n"), options);
    this.problems = lines;
  }
}
