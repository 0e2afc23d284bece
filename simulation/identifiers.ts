/** Ids and hosts that the scenarios share. */

export const FIRST_HOST = "node@first#pool";
export const SECOND_HOST = "node@second#pool";
/** Id for scenarios with a third volume. */
export const THIRD_HOST = "node@third#pool";

/** A valid UUID of that number. */
export function uuidOf(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}

export const VOLUME = uuidOf(1);
export const OTHER_VOLUME = uuidOf(2);
export const SOURCE = uuidOf(3);
export const SNAPSHOT = uuidOf(4);
export const IMAGE = uuidOf(5);
export const TYPE = uuidOf(6);

/** Stands in each message's context, and must be nowhere else. */
export const SECRET = "token-that-nobody-may-see";
