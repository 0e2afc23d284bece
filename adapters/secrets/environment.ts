import * as v from "valibot";
import type { Secrets } from "../../core/ports.ts";

/**
 * Secrets in a JSON object of texts by name, as an environment variable holds it: for the embedded cloud, which has no Secrets
 * Manager.
 */
export class EnvironmentSecrets implements Secrets {
  readonly #values: ReadonlyMap<string, string>;

  /** @param json the text is not told when it is wrong */
  constructor(json: string) {
    this.#values = new Map(Object.entries(parse(json)));
  }

  async read(name: string): Promise<string> {
    const value = this.#values.get(name);
    if (value === undefined) {
      throw new Error(`there is no secret ${name} in the environment`);
    }
    return value;
  }
}

/** A secret may be written as the JSON that it holds, or as text. */
const Schema = v.record(v.string(), v.union([v.string(), v.record(v.string(), v.unknown())]));

function parse(json: string): Record<string, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    parsed = undefined;
  }
  const result = v.safeParse(Schema, parsed);
  if (!result.success) {
    throw new Error("the secrets in the environment are no JSON object of texts or objects");
  }
  const entries = Object.entries(result.output);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}
