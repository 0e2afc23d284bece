import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import type { MemoryTable } from "./in-memory-dynamodb.ts";
import type { Item } from "./values.ts";

/** How a kind of record is stored. */
export type Storing<Value> = {
  toItem: (record: Value) => Item;
  read: (item: Item) => Value;
  /** Column of a number, which {@link RecordsView.unreadable} spoils; `size` unless it is another one. */
  number?: string;
};

/** A number that JavaScript does not have. */
const UNREADABLE_NUMBER = { N: "9007199254740993.5" };

/**
 * The items of a table as records, by key, for a look into the store and for arrangements that no repository would write. A record that is
 * read is frozen, and is the same object until its item is written again.
 */
export class RecordsView<Value extends object> {
  readonly #table: MemoryTable;
  readonly #storing: Storing<Value>;
  readonly #read = new WeakMap<Item, Value>();

  /** The numbers that spoiled items had. */
  readonly #spoiled = new Map<string, AttributeValue>();

  /** Keys of records that are there and that no repository can read; this view still can. */
  readonly unreadable = {
    has: (key: string): boolean => this.#spoiled.has(key),
    add: (key: string): void => this.#spoil(key),
    [Symbol.iterator]: (): Iterator<string> => this.#spoiled.keys(),
  };

  constructor(table: MemoryTable, storing: Storing<Value>) {
    this.#table = table;
    this.#storing = storing;
  }

  get size(): number {
    return this.#table.items.size;
  }

  get(key: string): Value | undefined {
    const item = this.#table.items.get(tableKey(key));
    return item === undefined ? undefined : this.#recordOf(key, item);
  }

  has(key: string): boolean {
    return this.#table.items.has(tableKey(key));
  }

  set(key: string, record: Value): this {
    this.#table.items.set(tableKey(key), this.#storing.toItem(record));
    if (this.#spoiled.has(key)) {
      this.#spoil(key);
    }
    return this;
  }

  /** Changes columns of a record. @throws Error when there is none */
  change(key: string, columns: Partial<Value>): void {
    const record = this.get(key);
    if (record === undefined) {
      throw new Error(`there is no record ${key} to change`);
    }
    this.set(key, { ...record, ...columns });
  }

  /** Sets each of the records, as those of another view. */
  setAll(records: Iterable<readonly [string, Value]>): void {
    for (const [key, record] of records) {
      this.set(key, record);
    }
  }

  delete(key: string): boolean {
    this.#spoiled.delete(key);
    return this.#table.items.delete(tableKey(key));
  }

  clear(): void {
    this.#table.items.clear();
  }

  *keys(): Generator<string> {
    for (const key of this.#table.items.keys()) {
      yield plainKey(key);
    }
  }

  *values(): Generator<Value> {
    for (const [, record] of this) {
      yield record;
    }
  }

  *[Symbol.iterator](): Generator<[string, Value]> {
    for (const [tableKeyOfItem, item] of this.#table.items) {
      const key = plainKey(tableKeyOfItem);
      yield [key, this.#recordOf(key, item)];
    }
  }

  #recordOf(key: string, item: Item): Value {
    let record = this.#read.get(item);
    if (record === undefined) {
      const number = this.#spoiled.get(key);
      record = frozen(this.#storing.read(number === undefined ? item : { ...item, [this.#number]: number }));
      this.#read.set(item, record);
    }
    return record;
  }

  #spoil(key: string): void {
    const item = this.#table.items.get(tableKey(key));
    const number = item?.[this.#number];
    if (item === undefined || number === undefined) {
      throw new Error(`there is no record ${key} with a ${this.#number}`);
    }
    this.#spoiled.set(key, number);
    this.#table.items.set(tableKey(key), { ...item, [this.#number]: UNREADABLE_NUMBER });
  }

  get #number(): string {
    return this.#storing.number ?? "size";
  }
}

/** Keys of the store are lists of the key's attributes; of these tables, of one. */
function tableKey(key: string): string {
  return JSON.stringify([key]);
}

function plainKey(key: string): string {
  return (JSON.parse(key) as [string])[0];
}

function frozen<Value extends object>(value: Value): Value {
  for (const member of Object.values(value)) {
    if (typeof member === "object" && member !== null) {
      frozen(member as object);
    }
  }
  return Object.freeze(value);
}
