import type { MapChange } from "../../core/ports.ts";
import { isMissingPath, statement, tryUpdate, type Item, type Table } from "./table.ts";

/**
 * Updates of user-editable fields: columns that are set or removed by name, and entries of one map. No state depends on them, so the only
 * condition is that the item exists.
 */

/** Columns by name; null removes one. */
export type ColumnChange = Readonly<Record<string, string | boolean | object | null>>;

/** A map of the item, with its changes. */
export type NamedMapChange = { column: string; change: MapChange };

/** Runs the update. Undefined when the thing does not exist. */
export async function changeItem(
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
  const update = [
    ...(sets.length === 0 ? [] : [`SET ${sets.join(", ")}`]),
    ...(removes.length === 0 ? [] : [`REMOVE ${removes.join(", ")}`]),
  ];
  const prepared = statement(update.join(" "), `attribute_exists(#${table.key})`);
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
