import type { MapChange } from "../../core/ports.ts";
import {
  isMissingPath,
  NAMES_AT_ONCE,
  slicesOf,
  statement,
  tryUpdate,
  updateOf,
  type Item,
  type Table,
} from "./table.ts";

/**
 * Updates of user-editable fields: columns that are set or removed by name, and entries of one map. No state depends on them, so the only
 * condition is that the item exists.
 */

/** Columns by name; null removes one. */
export type ColumnChange = Readonly<Record<string, string | boolean | object | null>>;

/** A map of the item, with its changes. */
export type NamedMapChange = { column: string; change: MapChange };

/**
 * Runs the update, in several writes where it changes many entries: removals first, so that the item never has old and new entries at once.
 * Interrupted between two of them: the entries of the first ones have changed, and the same request changes the others.
 * Returns undefined when the thing does not exist.
 */
export async function changeItem(
  table: Table,
  key: string,
  columns: ColumnChange,
  { column, change }: NamedMapChange,
): Promise<Item | undefined> {
  const parts = partsOf(change);
  const last = parts.pop() ?? {};
  for (const part of parts) {
    if ((await changeAtOnce(table, key, {}, { column, change: part })) === undefined) {
      return undefined;
    }
  }
  return changeAtOnce(table, key, columns, { column, change: last });
}

/** A change as changes of at most {@link NAMES_AT_ONCE} entries. */
function partsOf({ set = {}, unset = [] }: MapChange): MapChange[] {
  const entries = [...unset.map((name) => [name] as const), ...Object.entries(set)];
  return slicesOf(entries, NAMES_AT_ONCE).map((part) => ({
    set: Object.fromEntries(part.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))),
    unset: part.flatMap(([name, value]) => (value === undefined ? [name] : [])),
  }));
}

async function changeAtOnce(
  table: Table,
  key: string,
  columns: ColumnChange,
  map: NamedMapChange,
): Promise<Item | undefined> {
  const { set = {}, unset = [] } = map.change;
  const kept = Object.entries(columns).filter(([, value]) => value !== null);
  const entries = Object.entries(set);
  const sets = [
    ...kept.map(([column]) => `#${column} = :${column}`),
    ...entries.map((_, index) => `#${map.column}.#set${index} = :set${index}`),
  ];
  const removes = [
    ...Object.entries(columns).flatMap(([column, value]) => (value === null ? [`#${column}`] : [])),
    ...unset.map((_, index) => `#${map.column}.#unset${index}`),
  ];
  const prepared = statement(updateOf(sets, removes), `attribute_exists(#${table.key})`);
  const run = (): Promise<Item | undefined> =>
    tryUpdate(table, key, prepared, {
      values: {
        ...Object.fromEntries(kept.map(([column, value]) => [`:${column}`, value])),
        ...Object.fromEntries(entries.map(([, value], index) => [`:set${index}`, value])),
      },
      names: {
        ...Object.fromEntries(entries.map(([name], index) => [`#set${index}`, name])),
        ...Object.fromEntries(unset.map((name, index) => [`#unset${index}`, name])),
      },
      returnItem: true,
    });
  try {
    return await run();
  } catch (error) {
    if (!isMissingPath(error)) {
      throw error;
    }
  }
  // Another service may have written the item without the map.
  const made = statement(
    `SET #${map.column} = if_not_exists(#${map.column}, :empty)`,
    `attribute_exists(#${table.key})`,
    {
      ":empty": {},
    },
  );
  return (await tryUpdate(table, key, made, { values: {} })) === undefined ? undefined : run();
}
