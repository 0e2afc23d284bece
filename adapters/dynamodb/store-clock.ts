import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Clock } from "../../core/ports.ts";

/**
 * A smaller difference cannot be distinguished from the header's rounding to whole seconds and the duration of an answer. Functions whose
 * clocks are right keep them.
 */
const LEAST_SKEW_MS = 3_000;

/**
 * An answer that took longer says nothing about the clock: Lambda freezes a function between two invocations, with the requests that it has
 * not waited for, and half of the time until it continues would count as the skew.
 */
const LONGEST_ANSWER_MS = 5_000;

/**
 * The clock by which every function writes and compares times: this machine's, corrected by what DynamoDB's answers say in their
 * `Date` header. A report is judged by a function on another machine than the one that made it, and a deadline is looked at by the
 * sweep; with a clock of its own each, one that is five minutes off would call every backend down, or every volume overdue.
 *
 * Before the first answer it is this machine's clock.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#name-date
 */
export class StoreClock implements Clock {
  readonly #local: Clock;
  #skewMs = 0;

  constructor(local: Clock) {
    this.#local = local;
  }

  now(): Date {
    return new Date(this.#local.now().getTime() + this.#skewMs);
  }

  /** Follows the answers of a client. */
  follow<Client extends Pick<DynamoDBClient, "middlewareStack">>(client: Client): Client {
    client.middlewareStack.add(
      (next) => async (args) => {
        const sentMs = this.#local.now().getTime();
        const output = await next(args);
        this.#hear(output.response, sentMs, this.#local.now().getTime());
        return output;
      },
      { step: "deserialize", name: "storeClock" },
    );
    return client;
  }

  /** The answer was made between the moments at which the request left and the answer came. */
  #hear(response: unknown, sentMs: number, receivedMs: number): void {
    const { headers } = (response ?? {}) as { headers?: Record<string, string> };
    const theirs = Date.parse(headers?.["date"] ?? "");
    if (Number.isNaN(theirs) || receivedMs - sentMs > LONGEST_ANSWER_MS) {
      return;
    }
    const earliest = theirs - receivedMs;
    const latest = theirs + 1000 - sentMs;
    const skewMs = (earliest + latest) / 2;
    this.#skewMs = Math.abs(skewMs) < LEAST_SKEW_MS ? 0 : skewMs;
  }
}
