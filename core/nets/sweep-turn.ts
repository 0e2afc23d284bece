import { describeError } from "../errors.ts";
import { causeText } from "../fault.ts";

/** One volume that a sweep could not deal with, and why. */
export type SweepFailure = { volume_id: string; error: string; cause: string };

/** Dependencies of one part of a sweep. */
export type SweepTurn = {
  failures: SweepFailure[];
  /** Whether there is time for another volume. */
  hasTime(): boolean;
};

/** How many volumes are dealt with at once: each is a handful of calls, one after the other. */
const AT_ONCE = 10;

/**
 * Deals with each item, several at once, until all are done or the time is up. One that throws is noted as a failure and does not
 * stop the others.
 */
export async function sweepEach<Item>(
  turn: SweepTurn,
  items: Iterable<Item>,
  idOf: (item: Item) => string,
  handle: (item: Item) => Promise<void>,
  atOnce: number = AT_ONCE,
): Promise<void> {
  const left = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = left.next(); next.done !== true; next = left.next()) {
      const item = next.value;
      try {
        await handle(item);
      } catch (error) {
        const { name, message } = describeError(error);
        turn.failures.push({ volume_id: idOf(item), error: name, cause: causeText(message) });
      }
      if (!turn.hasTime()) {
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
