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

/** The items of a table at one moment. */
export type Mark = { readonly version: number; readonly items: ReadonlyMap<string, Item> };

/**
 * The items of a table as records, by key, for a look into the store and for arrangements that no repository would write. A record that is
 * read is frozen, and is the same object until its item is written again.
 */
export class RecordsView<Value extends object> {
  readonly #table: MemoryTable;
  readonly #storing: Storing<Value>;
  readonly #read = new WeakMap<Item, Value>();
  #mark: Mark = { version: -1, items: new Map() };

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

  /** Grows with every change of a record. */
  get version(): number {
    return this.#table.version;
  }

  /** The items as they are now, for {@link changedSince}. */
  mark(): Mark {
    if (this.#mark.version !== this.#table.version) {
      this.#mark = { version: this.#table.version, items: new Map(this.#table.items) };
    }
    return this.#mark;
  }

  /** The records that were written or removed since then, as they were and as they are. */
  *changedSince({ version, items }: Mark): Generator<[Value | undefined, Value | undefined]> {
    if (version === this.#table.version) {
      return;
    }
    for (const key of new Set([...items.keys(), ...this.#table.items.keys()])) {
      const [before, after] = [items.get(key), this.#table.items.get(key)];
      if (before !== after) {
        yield [before && this.#recordOf(key, before), after && this.#recordOf(key, after)];
      }
    }
  }

  get size(): number {
    return this.#table.items.size;
  }

  get(key: string): Value | undefined {
    const item = this.#table.items.get(key);
    return item === undefined ? undefined : this.#recordOf(key, item);
  }

  has(key: string): boolean {
    return this.#table.items.has(key);
  }

  set(key: string, record: Value): this {
    this.#table.put(key, this.#storing.toItem(record));
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
    return this.#table.delete(key);
  }

  clear(): void {
    [...this.#table.items.keys()].forEach((key) => this.#table.delete(key));
  }

  keys(): IterableIterator<string> {
    return this.#table.items.keys();
  }

  *values(): Generator<Value> {
    for (const [, record] of this) {
      yield record;
    }
  }

  *[Symbol.iterator](): Generator<[string, Value]> {
    for (const [key, item] of this.#table.items) {
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
    const item = this.#table.items.get(key);
    const number = item?.[this.#number];
    if (item === undefined || number === undefined) {
      throw new Error(`there is no record ${key} with a ${this.#number}`);
    }
    this.#spoiled.set(key, number);
    this.#table.put(key, { ...item, [this.#number]: UNREADABLE_NUMBER });
  }

  get #number(): string {
    return this.#storing.number ?? "size";
  }
}

function frozen<Value extends object>(value: Value): Value {
  for (const member of Object.values(value)) {
    if (typeof member === "object" && member !== null) {
      frozen(member as object);
    }
  }
  return Object.freeze(value);
}
