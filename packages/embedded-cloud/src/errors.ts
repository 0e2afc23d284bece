/**
 * Thrown when the embedded cloud cannot start: an unsupported template, or a data directory or port that is not available. `message` is one
 * line unless a template has several problems; `problems` has one line each.
 */
export class EmbeddedCloudError extends Error {
  override readonly name = "EmbeddedCloudError";
  readonly problems: readonly string[];

  constructor(problems: string | readonly string[], options?: ErrorOptions) {
    const lines = typeof problems === "string" ? [problems] : problems;
    super(lines.join("\n"), options);
    this.problems = lines;
  }
}
