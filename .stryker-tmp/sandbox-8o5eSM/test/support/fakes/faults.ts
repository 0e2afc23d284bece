/** Stands for the end of a process: whatever the code does when it catches this, it can have no further effect. */
// @ts-nocheck

export class Crash extends Error {
  override readonly name = "Crash";
}

/** Whether the call's effect happens before it fails: a request that was refused, or an answer that was lost. */
export type Moment = "before" | "after";

const AsyncGeneratorFunction = async function* none() {}.constructor as new () => () => AsyncGenerator;

type Plan = { call: string; moment: Moment; error: Error; times: number };

/**
 * Failures of the ports on order. Every call of a watched port is noted as `port.method`; the next ones of a name can be made to
 * fail, or the process to die at the n-th call of all, after which no call has any effect until {@link revive}.
 */
export class Faults {
  readonly calls: string[] = [];
  readonly #plans: Plan[] = [];
  #crash: { atCall: number; moment: Moment } | undefined;
  #dead = false;

  /** Makes the next calls of that name fail. */
  fail(call: string, error: Error, { moment = "before", times = 1 }: { moment?: Moment; times?: number } = {}): void {
    this.#plans.push({ call, moment, error, times });
  }

  /** Makes the process die at the call of that number, counted from 1. */
  crashAt(atCall: number, moment: Moment): void {
    this.#crash = { atCall, moment };
  }

  /** A new process: calls have effects again. */
  revive(): void {
    this.#dead = false;
    this.#crash = undefined;
  }

  /** How often a call was made, whatever became of it. */
  count(call: string): number {
    return this.calls.filter((name) => name === call).length;
  }

  /** The port with its asynchronous methods and listings watched under `name`. */
  watch<Port extends object>(name: string, port: Port): Port {
    return new Proxy(port, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== "function") {
          return member;
        }
        if (member instanceof AsyncGeneratorFunction) {
          return (...parameters: unknown[]) =>
            this.#listing(`${name}.${String(key)}`, () => Reflect.apply(member, target, parameters));
        }
        return (...parameters: unknown[]) =>
          this.#around(`${name}.${String(key)}`, async () => Reflect.apply(member, target, parameters) as unknown);
      },
    });
  }

  /** A listing fails before it begins, or not at all. */
  async *#listing(call: string, begin: () => AsyncIterable<unknown>): AsyncGenerator {
    await this.#around(call, async () => undefined);
    yield* begin();
  }

  async #around(call: string, effect: () => Promise<unknown>): Promise<unknown> {
    this.#throwIfDead();
    this.calls.push(call);
    const plan = this.#plans.find((candidate) => candidate.call === call && candidate.times > 0);
    if (plan !== undefined) {
      plan.times -= 1;
    }
    const crash = this.#crash?.atCall === this.calls.length ? this.#crash.moment : undefined;
    this.#dead = crash === "before";
    this.#throwIfDead();
    if (plan?.moment === "before") {
      throw plan.error;
    }
    const dieAfter = (): void => {
      this.#dead ||= crash === "after";
      this.#throwIfDead();
    };
    // A refusal is an answer, too, that a process may not live to hear.
    const result = await effect().catch((error: unknown) => {
      dieAfter();
      throw error;
    });
    dieAfter();
    if (plan !== undefined) {
      throw plan.error;
    }
    return result;
  }

  #throwIfDead(): void {
    if (this.#dead) {
      throw new Crash("the process has ended");
    }
  }
}
