import { createRequire } from "node:module";

/**
 * dynalite writes the entries of secondary indexes and the item one after the other, so a process that is killed in between leaves an item
 * that no index finds, or an entry without its item. DynamoDB does neither. So the indexes are rebuilt from the items before the store is
 * opened. This file depends on dynalite 4's LevelDB layout; check it when the pinned version changes.
 */

type StoredTable = {
  TableName: string;
  LocalSecondaryIndexes?: unknown[];
  GlobalSecondaryIndexes?: unknown[];
};
type Operation = { type: "put"; key: string; value: unknown } | { type: "del"; key: string };
type Range = { gte: string; lt: string };

/** The used part of dynalite's LevelDB; keys are text, values JSON. */
type Store = {
  open(): Promise<void>;
  keys(range: Range): AsyncIterable<string>;
  values(range: Range): AsyncIterable<unknown>;
  batch(operations: readonly Operation[]): Promise<void>;
  close(): Promise<void>;
};
type Level = new (directory: string, options: { valueEncoding: "json" }) => Store;

/** dynalite's own functions, which compute an item's entries by the rules of its indexes. */
type DynaliteRules = {
  getIndexActions(
    indexes: readonly unknown[],
    existingItem: undefined,
    item: unknown,
    table: StoredTable,
  ): { puts: { index: string; key: string; item: unknown }[] };
};

const dynaliteRequire = createRequire(import.meta.resolve("dynalite"));

/** Largest batch of writes, so that a large table is not held in memory twice. */
const BATCH = 1000;

/** Range of all keys with this prefix. */
const under = (prefix: string): Range => ({ gte: prefix, lt: `${prefix}\u{ffff}` });

/** Removes entries without an item, and writes the entries of every item. An empty or new directory stays unchanged. */
export async function rebuildIndexes(directory: string): Promise<void> {
  const { Level } = dynaliteRequire("level") as { Level: Level };
  const rules = dynaliteRequire("./db") as DynaliteRules;
  const store = new Level(directory, { valueEncoding: "json" });
  await store.open();
  try {
    for await (const table of store.values(under("table~"))) {
      await rebuildTable(store, rules, table as StoredTable);
    }
  } finally {
    await store.close();
  }
}

async function rebuildTable(store: Store, rules: DynaliteRules, table: StoredTable): Promise<void> {
  const kinds = [
    ["local", table.LocalSecondaryIndexes ?? []],
    ["global", table.GlobalSecondaryIndexes ?? []],
  ] as const;
  for (const [kind, indexes] of kinds) {
    if (indexes.length === 0) continue;
    const prefix = `index-${kind}~${table.TableName}~`;
    const stale = new Set<string>();
    for await (const key of store.keys(under(prefix))) stale.add(key);
    let operations: Operation[] = [];
    for await (const item of store.values(under(`item-${table.TableName}~`))) {
      for (const put of rules.getIndexActions(indexes, undefined, item, table).puts) {
        const key = `${prefix}${put.index}~${put.key}`;
        stale.delete(key);
        operations.push({ type: "put", key, value: put.item });
      }
      if (operations.length >= BATCH) {
        await store.batch(operations);
        operations = [];
      }
    }
    await store.batch([...operations, ...Array.from(stale, (key): Operation => ({ type: "del", key }))]);
  }
}
