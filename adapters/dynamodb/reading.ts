import { unmarshall } from "@aws-sdk/util-dynamodb";
import { describeError, UnreadableRecord } from "../../core/errors.ts";
import { foreignText } from "../../core/text/foreign-text.ts";
import type { Found, Listed, Unreadable } from "../../core/ports.ts";
import type { Item } from "./table.ts";

/**
 * How items become records. Other services and people write into the tables, too: an item whose numbers JavaScript does not have, or whose
 * columns are of another kind, is an unreadable record. It is reported by its id, and does not affect others.
 */

/** Longest reported reason, in UTF-16 units. */
const LONGEST_REASON = 500;

/** Type of a column; `!` if it is required. `maps` is a map whose values are maps. */
export type ColumnKind = "text" | "text!" | "number" | "number!" | "map" | "maps";

/** A reader of one kind of record. */
export type Reader<Value> = {
  /** @throws UnreadableRecord */
  read: (item: Item) => Value;
  /** Reads each item by itself. */
  readEach: (items: readonly Item[]) => { records: Value[]; unreadable: Unreadable[] };
};

/**
 * Makes a reader.
 *
 * @param what the kind of record, for messages
 * @param columns those that anything would go wrong with
 * @param shape makes the record from the stored item
 */
export function readerOf<Value>(
  what: string,
  columns: Readonly<Record<string, ColumnKind>>,
  shape: (stored: never) => Value,
  key: "id" | "host" = "id",
): Reader<Value> {
  const read = (item: Item): Value => {
    try {
      const stored = unmarshall(item);
      for (const [name, kind] of Object.entries(columns)) {
        checkColumn(name, kind, stored[name] ?? null);
      }
      return shape(stored as never);
    } catch (error) {
      throw new UnreadableRecord(what, item[key]?.S ?? "", foreignText(describeError(error).message, LONGEST_REASON));
    }
  };
  const readEach: Reader<Value>["readEach"] = (items) => {
    const records: Value[] = [];
    const unreadable: Unreadable[] = [];
    for (const item of items) {
      try {
        records.push(read(item));
      } catch (error) {
        const { message } = describeError(error);
        unreadable.push({ id: item[key]?.S ?? "", host: item["host"]?.S ?? null, reason: message });
      }
    }
    return { records, unreadable };
  };
  return { read, readEach };
}

/** The records of a whole listing, with the unreadable ones. */
export function listedOf<Value>(records: Value[], unreadable: readonly Unreadable[]): Listed<Value> {
  return unreadable.length === 0 ? records : Object.assign(records, { unreadable });
}

/** The records by id, with the unreadable ones. */
export function foundOf<Value extends { id: string }>(read: ReturnType<Reader<Value>["readEach"]>): Found<Value> {
  const found: Found<Value> = new Map(read.records.map((record) => [record.id, record]));
  return read.unreadable.length === 0 ? found : Object.assign(found, { unreadable: read.unreadable });
}

/** A page of records of a page of items. */
export function pageOf<Value>(
  page: { items: readonly Item[]; next?: string },
  reader: Reader<Value>,
): { items: Value[]; next?: string; unreadable?: Unreadable[] } {
  const { records, unreadable } = reader.readEach(page.items);
  return { ...page, items: records, ...(unreadable.length > 0 && { unreadable }) };
}

function checkColumn(name: string, kind: ColumnKind, value: unknown): void {
  if (value === null) {
    if (kind.endsWith("!")) {
      throw new Error(`${name} is missing`);
    }
    return;
  }
  const isRight =
    kind === "map" || kind === "maps"
      ? isMap(value) && (kind === "map" || Object.values(value).every(isMap))
      : typeof value === (kind.startsWith("text") ? "string" : "number");
  if (!isRight) {
    throw new Error(`${name} must be a ${kind.replace("!", "")}, not a ${kindOf(value)}`);
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function kindOf(value: unknown): string {
  if (typeof value === "object") {
    return isMap(value) ? "map of something else" : "list or set";
  }
  return typeof value === "string" ? "text" : typeof value;
}
