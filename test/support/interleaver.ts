/**
 * Lets the calls of several actions go ahead one at a time, in an order that is chosen from outside: each call of a gated port waits
 * for its turn, has its whole effect in it, and everything that follows from it runs before the next turn.
 */
export class Interleaver {
  readonly #waiting: Turn[] = [];
  #acting: string | undefined;

  /** How many calls wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Begins an action; its first call waits for its turn. Its errors are ignored. */
  async begin(name: string, action: (gate: Gate) => Promise<unknown>): Promise<void> {
    const gate: Gate = (port) => this.#gated(name, port);
    action(gate).catch(() => {});
    await settled();
  }

  /** Lets one of the waiting calls go ahead. */
  async advance(choice: number): Promise<void> {
    const [turn] = this.#waiting.splice(choice % Math.max(1, this.#waiting.length), 1);
    if (turn !== undefined) {
      this.#acting = turn.action;
      await turn.go();
      this.#acting = undefined;
      await settled();
    }
  }

  /** Ends the process behind one of the waiting calls: neither that nor any later call of its action happens. */
  kill(choice: number): void {
    this.#waiting.splice(choice % Math.max(1, this.#waiting.length), 1);
  }

  /** Ends every action of that name. */
  killAll(name: string): void {
    for (let index = this.#waiting.length - 1; index >= 0; index -= 1) {
      if (this.#waiting[index]?.action === name) {
        this.#waiting.splice(index, 1);
      }
    }
  }

  /** Lets everything go ahead, in the order in which it came. */
  async finish(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.advance(0);
    }
  }

  #gated<Port extends object>(action: string, port: Port): Port {
    return new Proxy(port, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== "function") {
          return member;
        }
        return (...parameters: unknown[]) =>
          new Promise<unknown>((resolve, reject) => {
            // A call that another call makes, as a driver saves progress, is part of its turn.
            const call = async () => Reflect.apply(member, target, parameters) as unknown;
            if (this.#acting === action) {
              call().then(resolve, reject);
              return;
            }
            this.#waiting.push({ action, go: () => call().then(resolve, reject) });
          });
      },
    });
  }
}

/** Makes the calls of a port wait for their turns. */
export type Gate = <Port extends object>(port: Port) => Port;

type Turn = { action: string; go: () => Promise<void> };

/** Resolves when every promise that can continue has done so. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
