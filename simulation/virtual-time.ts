/** A timer that can be taken back. */
export type Timer = { cancel(): void };

type Due = { at: number; order: number; run: () => void; isBackground: boolean };

/**
 * Time that passes only when nothing is left to do at its present moment, so hours cost milliseconds and every run of a seed is the same.
 * Due work runs one by one, each followed by everything that it starts (promises only: nothing here may wait for a real timer or for input
 * and output). One thing at a time is also what makes each effect of a port one step, as it is on a database, however many invocations are
 * under way.
 */
export class VirtualTime {
  #now: number;
  #order = 0;
  readonly #due: Due[] = [];

  constructor(start: string) {
    this.#now = Date.parse(start);
  }

  /** Milliseconds since the epoch. */
  get nowMs(): number {
    return this.#now;
  }

  /** Whether anything but what recurs for ever is due. */
  get isBusy(): boolean {
    return this.#due.some(({ isBackground }) => !isBackground);
  }

  /**
   * Runs something later.
   *
   * @param isBackground it recurs whatever happens, and does not count as work under way
   */
  after(ms: number, run: () => void, isBackground = false): Timer {
    const due = { at: this.#now + Math.max(0, ms), order: (this.#order += 1), run, isBackground };
    const index = this.#due.findIndex(({ at }) => at > due.at);
    this.#due.splice(index === -1 ? this.#due.length : index, 0, due);
    return {
      cancel: () => {
        const position = this.#due.indexOf(due);
        if (position !== -1) {
          this.#due.splice(position, 1);
        }
      },
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve);
    });
  }

  /** Runs what is due, until nothing is or `isOver` says so; `isOver` is asked before each. */
  async run(isOver: (nextAt: number) => boolean): Promise<void> {
    await settled();
    for (let next = this.#due[0]; next !== undefined && !isOver(next.at); next = this.#due[0]) {
      this.#due.shift();
      this.#now = next.at;
      next.run();
      await settled();
    }
  }
}

/** Resolves when every promise that can continue has done so. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** A promise with the means to end it. */
export function deferred<Value>(): { promise: Promise<Value>; resolve: (value: Value) => void } {
  let resolve: (value: Value) => void = () => {};
  const promise = new Promise<Value>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
