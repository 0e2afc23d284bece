import { GetSecretValueCommand, type SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { describeError } from "../../core/errors.ts";
import type { Clock, Secrets } from "../../core/ports.ts";

/** Lifetime of a cached value: a rotated secret is known everywhere after this time, or at once after a refusal. */
const KEPT_MS = 60_000;

/** Secrets in AWS Secrets Manager, each read once a minute at most; values are kept in memory only. */
export class SecretsManagerSecrets implements Secrets {
  readonly #client: Pick<SecretsManagerClient, "send">;
  readonly #clock: Clock;
  readonly #kept = new Map<string, { value: string; until: number }>();

  constructor(client: Pick<SecretsManagerClient, "send">, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  async read(name: string, renewed = false): Promise<string> {
    const now = this.#clock.now().getTime();
    for (const [key, { until }] of this.#kept) {
      if (until <= now) {
        this.#kept.delete(key);
      }
    }
    const kept = this.#kept.get(name);
    if (kept !== undefined && !renewed) {
      return kept.value;
    }
    let value: string | undefined;
    try {
      value = (await this.#client.send(new GetSecretValueCommand({ SecretId: name }))).SecretString;
    } catch (error) {
      throw new Error(`secret ${name} cannot be read: ${describeError(error).name}`, { cause: error });
    }
    if (value === undefined) {
      throw new Error(`secret ${name} is not a string`);
    }
    this.#kept.set(name, { value, until: now + KEPT_MS });
    return value;
  }
}
