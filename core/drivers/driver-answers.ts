import { bytesOf, CHECKPOINT_BYTES } from "../requests/byte-budget.ts";
import { VolumeDriverException } from "../errors.ts";

/**
 * Refuses a driver's data that takes more than its share of the byte budget. It would otherwise fill the state document or the record, and
 * fail there without naming the driver.
 *
 * @param what the part of the answer in the words of the error
 * @throws VolumeDriverException
 */
export function requireAnswerWithinBudget(what: string, value: unknown): void {
  const bytes = value === null || value === undefined ? 0 : bytesOf(JSON.stringify(value));
  if (bytes > CHECKPOINT_BYTES) {
    throw new VolumeDriverException(`its ${what} takes ${bytes} bytes; at most ${CHECKPOINT_BYTES} are allowed`);
  }
}
