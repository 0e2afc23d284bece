import { isDeepStrictEqual } from "node:util";

/** How often a state is tried again when what it did may not have been decided. */
export const RETRIES = 2;

/**
 * The actual end, if it equals the expected one with immediate repeats, at most as many as a state's tries; otherwise the expected end.
 */
export function asRepeated<Item>(expected: readonly Item[], actual: readonly Item[]): Item[] {
  const runs = runsOf(actual);
  const isRepeated =
    isDeepStrictEqual(
      runs.map(({ item }) => item),
      runsOf(expected).map(({ item }) => item),
    ) && runs.every(({ length }) => length <= RETRIES + 1);
  return [...(isRepeated ? actual : expected)];
}

/** The list without an item's every occurrence. */
export function without<Item>(list: readonly Item[], item: Item): Item[] {
  return list.filter((each) => each !== item);
}

/** The items of a list with the number of times that each stands there in a row. */
function runsOf<Item>(list: readonly Item[]): { item: Item; length: number }[] {
  const runs: { item: Item; length: number }[] = [];
  for (const item of list) {
    const last = runs.at(-1);
    if (last !== undefined && isDeepStrictEqual(last.item, item)) {
      last.length += 1;
    } else {
      runs.push({ item, length: 1 });
    }
  }
  return runs;
}
