import type { Secrets } from "../../core/ports.ts";

/**
 * Secrets in a JSON object of texts by name, from an environment variable: for the embedded cloud, which has no Secrets Manager.
 */
export class EnvironmentSecrets implements Secrets {
  readonly #values: ReadonlyMap<string, string>;

  /** @param json errors never show the text */
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

/** A secret may be written as text, or as the object that the text would hold. */
function parse(json: string): Record<string, string> {
  let values: unknown;
  try {
    values = JSON.parse(json);
  } catch {
    // The error does not show the unreadable text.
  }
  if (!isObject(values) || !Object.values(values).every((value) => typeof value === "string" || isObject(value))) {
    throw new Error("the secrets in the environment are not a JSON object of strings or objects");
  }
  const entries = Object.entries(values);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
