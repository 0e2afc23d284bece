import type { AttributeValue, CreateTableCommandInput, KeysAndAttributes } from "@aws-sdk/client-dynamodb";
import { expressionProblem, itemBytes, itemProblem } from "@cinderless/embedded-cloud/dynamodb-rules";
import type { DynamoDb } from "../../adapters/dynamodb/table.ts";
import { type Action, parseCondition, parseUpdate, type Placeholders, validationError } from "./expressions.ts";
import { frozenItem, frozenValue, type Item, order, type Path, setOwn, valueAt } from "./values.ts";

/**
 * DynamoDB in this process, without a server: the repositories' own requests on items in memory, with DynamoDB's rejections and the
 * capacity units that each request consumes. Every request is one step, so requests of one moment do not interleave.
 *
 * It has the commands, expressions and index kinds that the repositories use, and throws for all others.
 */

const LARGEST_ITEM = 409_600;
const WRITE_UNIT = 1024;
const READ_UNIT = 4096;

/** A request as the SDK's commands carry it; the members depend on the command. */
type Input = {
  TableName?: string | undefined;
  Key?: Item | undefined;
  Item?: Item | undefined;
  ConsistentRead?: boolean | undefined;
  ConditionExpression?: string | undefined;
  UpdateExpression?: string | undefined;
  FilterExpression?: string | undefined;
  KeyConditionExpression?: string | undefined;
  ExpressionAttributeNames?: Record<string, string> | undefined;
  ExpressionAttributeValues?: Item | undefined;
  ReturnValues?: string | undefined;
  IndexName?: string | undefined;
  Limit?: number | undefined;
  ScanIndexForward?: boolean | undefined;
  ExclusiveStartKey?: Item | undefined;
  Select?: string | undefined;
  RequestItems?: Record<string, { Keys?: Item[] | undefined; ConsistentRead?: boolean | undefined }> | undefined;
};

type Index = { keys: readonly string[]; isGlobal: boolean; isKeysOnly: boolean };

/** A table: its items by their keys. An item is frozen; a write puts another one in its place. */
export class MemoryTable {
  readonly keys: readonly string[];
  readonly indexes: ReadonlyMap<string, Index>;
  readonly items: ReadonlyMap<string, Item>;
  /** Grows with every change of an item. */
  version = 0;
  readonly #items = new Map<string, Item>();

  constructor({ KeySchema, GlobalSecondaryIndexes = [], LocalSecondaryIndexes = [] }: CreateTableCommandInput) {
    this.items = this.#items;
    this.keys = namesOf(KeySchema);
    this.indexes = new Map(
      [...GlobalSecondaryIndexes, ...LocalSecondaryIndexes].map((index) => [
        index.IndexName ?? "",
        {
          keys: namesOf(index.KeySchema),
          isGlobal: GlobalSecondaryIndexes.includes(index),
          isKeysOnly: index.Projection?.ProjectionType === "KEYS_ONLY",
        },
      ]),
    );
  }

  /** Puts an item, which is frozen. */
  put(key: string, item: Item): void {
    this.version += 1;
    this.#items.set(key, frozenItem(item));
  }

  delete(key: string): boolean {
    this.version += 1;
    return this.#items.delete(key);
  }

  /** The text that stands for an item's key: the key itself where it is one attribute. @throws ValidationException */
  keyOf(item: Readonly<Item>): string {
    const values = this.keys.map((name) => {
      const value = item[name]?.S;
      if (value === undefined || value === "") {
        throw validationError(`One or more parameter values were invalid: the key ${name} is missing or empty`);
      }
      return value;
    });
    return values.length === 1 ? (values[0] ?? "") : JSON.stringify(values);
  }
}

function namesOf(schema: CreateTableCommandInput["KeySchema"]): string[] {
  return (schema ?? []).map(({ AttributeName: name = "" }) => name);
}

/** The store: a client whose `send` takes the SDK's commands. */
export class InMemoryDynamoDb {
  readonly tables: ReadonlyMap<string, MemoryTable>;
  /** Capacity units that all requests so far have consumed. */
  readonly units = { read: 0, write: 0 };

  constructor(tables: readonly CreateTableCommandInput[]) {
    this.tables = new Map(tables.map((table) => [table.TableName ?? "", new MemoryTable(table)]));
  }

  /** For the repositories, which only send. */
  get client(): DynamoDb {
    return this;
  }

  /** @throws ConditionalCheckFailedException, ValidationException, as DynamoDB does */
  async send(command: { constructor: { name: string }; input: object }): Promise<Record<string, unknown>> {
    const answer = COMMANDS[command.constructor.name];
    if (answer === undefined) {
      throw new Error(`${command.constructor.name} is not among the commands of the repositories`);
    }
    return answer(this, command.input);
  }

  /** @throws ResourceNotFoundException */
  table(name: string | undefined): MemoryTable {
    const table = this.tables.get(name ?? "");
    if (table === undefined) {
      throw Object.assign(new Error(`there is no table ${name}`), { name: "ResourceNotFoundException" });
    }
    return table;
  }
}

type Answer = (store: InMemoryDynamoDb, input: Input) => Record<string, unknown>;

const COMMANDS: Readonly<Record<string, Answer>> = {
  GetItemCommand: getItem,
  BatchGetItemCommand: batchGetItem,
  PutItemCommand: putItem,
  UpdateItemCommand: updateItem,
  DeleteItemCommand: deleteItem,
  QueryCommand: (store, input) => listing(store, input, parseCondition(input.KeyConditionExpression ?? "").result),
  ScanCommand: (store, input) => listing(store, input, () => true),
};

function getItem(store: InMemoryDynamoDb, { TableName, Key = {}, ConsistentRead }: Input): { Item?: Item } {
  const table = store.table(TableName);
  const item = table.items.get(table.keyOf(Key));
  countRead(store, item === undefined ? 0 : bytesOf(item), ConsistentRead);
  return item === undefined ? {} : { Item: item };
}

function batchGetItem(store: InMemoryDynamoDb, { RequestItems = {} }: Input) {
  const responses = Object.entries(RequestItems).map(([TableName, { Keys = [], ConsistentRead, ...projection }]) => {
    if (Keys.length > 100) {
      throw validationError("Too many items requested for the BatchGetItem call");
    }
    const answers = Keys.map((Key) => getItem(store, { TableName, Key, ConsistentRead }));
    const found = answers.flatMap(({ Item: item }) => (item === undefined ? [] : [withAttributes(item, projection)]));
    return [TableName, found] as const;
  });
  return { Responses: Object.fromEntries(responses), UnprocessedKeys: {} };
}

/** The item with the attributes of a projection alone. */
function withAttributes(
  item: Item,
  { ProjectionExpression, ExpressionAttributeNames = {} }: Omit<KeysAndAttributes, "Keys">,
): Item {
  if (ProjectionExpression === undefined) {
    return item;
  }
  const names = new Set(ProjectionExpression.split(",").map((name) => ExpressionAttributeNames[name.trim()]));
  return Object.fromEntries(Object.entries(item).filter(([name]) => names.has(name)));
}

function putItem(store: InMemoryDynamoDb, input: Input) {
  const table = store.table(input.TableName);
  const item = frozenItem(input.Item ?? {});
  const key = table.keyOf(item);
  requireCondition(input, table.items.get(key), input.ConditionExpression);
  requireValid(item);
  write(store, table, key, item);
  return {};
}

function updateItem(store: InMemoryDynamoDb, input: Input) {
  const table = store.table(input.TableName);
  const key = table.keyOf(input.Key ?? {});
  const before = table.items.get(key);
  const update = parseUpdate(input.UpdateExpression ?? "");
  const placeholders = requireCondition(input, before, input.ConditionExpression, update.used);
  const after = applied(before ?? frozenItem(input.Key ?? {}), before ?? {}, update.result, placeholders);
  if (table.keyOf(after) !== key) {
    throw validationError("One or more parameter values were invalid: Cannot update attribute. It is part of the key");
  }
  requireValid(changed(before ?? {}, after));
  write(store, table, key, after);
  return input.ReturnValues === "ALL_NEW" ? { Attributes: after } : {};
}

function deleteItem(store: InMemoryDynamoDb, input: Input) {
  const table = store.table(input.TableName);
  const key = table.keyOf(input.Key ?? {});
  const before = table.items.get(key);
  requireCondition(input, before, input.ConditionExpression);
  countWrite(store, before);
  table.delete(key);
  return {};
}

/** The item after the actions, which shares with the one before what they do not touch. Every value is worked out of the item as it was. */
function applied(
  item: Readonly<Item>,
  before: Readonly<Item>,
  actions: readonly Action[],
  placeholders: Placeholders,
): Item {
  const changes = actions.map(({ path, value }) => ({
    path: path(placeholders),
    value: value?.(before, placeholders),
  }));
  requireDistinct(changes.map(({ path }) => path));
  const after = { ...item };
  const open = new Set<Item>([after]);
  for (const { path, value } of changes) {
    const name = path.at(-1) ?? "";
    const parent = openedAt(after, path, open);
    if (value === undefined) {
      Reflect.deleteProperty(parent, name);
    } else {
      setOwn(parent, name, frozenValue(value));
    }
  }
  open.forEach((map) => Object.freeze(map));
  return after;
}

/** The map that holds the path's last name, and is open for changes as are those around it. @throws ValidationException */
function openedAt(item: Item, path: Path, open: Set<Item>): Item {
  let map = item;
  for (const name of path.slice(0, -1)) {
    const inner = valueAt(map, [name])?.M;
    if (inner === undefined) {
      throw validationError("The document path provided in the update expression is invalid for update");
    }
    if (open.has(inner)) {
      map = inner;
    } else {
      const copy = { ...inner };
      open.add(copy);
      setOwn(map, name, Object.freeze({ M: copy }));
      map = copy;
    }
  }
  return map;
}

/** The attributes that an update has changed: the others were checked before. */
function changed(before: Readonly<Item>, after: Readonly<Item>): Item {
  return Object.fromEntries(Object.entries(after).filter(([name, value]) => before[name] !== value));
}

function requireDistinct(paths: readonly Path[]): void {
  if (paths.every(({ length }) => length === 1) && new Set(paths.map(([name]) => name)).size === paths.length) {
    return;
  }
  const isPrefix = (one: Path, other: Path): boolean => one.every((name, index) => other[index] === name);
  if (paths.some((one, index) => paths.some((other, at) => index !== at && isPrefix(one, other)))) {
    throw validationError("Invalid UpdateExpression: Two document paths overlap with each other");
  }
}

/** Checks the placeholders of a write and its condition. @throws ValidationException, ConditionalCheckFailedException */
function requireCondition(
  input: Input,
  item: Readonly<Item> | undefined,
  expression: string | undefined,
  alsoUsed: ReadonlySet<string> = new Set(),
): Placeholders {
  const condition = expression === undefined ? undefined : parseCondition(expression);
  const placeholders = placeholdersOf(input, [alsoUsed, condition?.used ?? new Set()]);
  if (condition !== undefined && !condition.result(item ?? {}, placeholders)) {
    throw Object.assign(new Error("The conditional request failed"), { name: "ConditionalCheckFailedException" });
  }
  return placeholders;
}

/** A name that needs no further check. */
const PLAIN_NAME = /^[\w-]{1,255}$/;

/** @throws ValidationException for a placeholder that is not defined, or not used */
function placeholdersOf(input: Input, usedBy: readonly ReadonlySet<string>[]): Placeholders {
  const problem = expressionProblem(input);
  if (problem !== undefined) {
    throw validationError(problem);
  }
  const { ExpressionAttributeNames: names = {}, ExpressionAttributeValues: values = {} } = input;
  for (const used of usedBy) {
    for (const each of used) {
      if (!Object.hasOwn(names, each) && !Object.hasOwn(values, each)) {
        throw validationError(`Invalid expression: an expression attribute is used and not defined: ${each}`);
      }
    }
  }
  for (const each of [...Object.keys(names), ...Object.keys(values)]) {
    if (!usedBy.some((used) => used.has(each))) {
      throw validationError(`Value provided in ExpressionAttributeNames or Values unused in expressions: ${each}`);
    }
  }
  for (const name of Object.values(names)) {
    if (!PLAIN_NAME.test(name)) {
      requireValid({ [name]: { BOOL: true } });
    }
  }
  requireValid(values);
  return { names, values };
}

function requireValid(item: Readonly<Item>): void {
  const problem = itemProblem(wire(item));
  if (problem !== undefined) {
    throw validationError(problem);
  }
}

function write(store: InMemoryDynamoDb, table: MemoryTable, key: string, item: Item): void {
  if (bytesOf(item) > LARGEST_ITEM) {
    throw validationError("Item size to update has exceeded the maximum allowed size");
  }
  for (const [name, { keys }] of table.indexes) {
    const empty = keys.find((each) => item[each]?.S === "");
    if (empty !== undefined) {
      throw validationError(
        `One or more parameter values are not valid. A key of an index cannot contain an empty string value. IndexName: ${name}, IndexKey: ${empty}`,
      );
    }
  }
  countWrite(store, table.items.get(key), item);
  table.put(key, item);
}

/** A page of a table or an index: the items of the key condition, in order, from a start to a limit; then the filter. */
function listing(
  store: InMemoryDynamoDb,
  input: Input,
  isMeant: (item: Readonly<Item>, placeholders: Placeholders) => boolean,
) {
  const table = store.table(input.TableName);
  const index = input.IndexName === undefined ? undefined : table.indexes.get(input.IndexName);
  if (input.IndexName !== undefined && index === undefined) {
    throw validationError(`The table does not have the specified index: ${input.IndexName}`);
  }
  if (index?.isGlobal === true && input.ConsistentRead === true) {
    throw validationError("Consistent reads are not supported on global secondary indexes");
  }
  const expressions = [input.KeyConditionExpression, input.FilterExpression].filter((each) => each !== undefined);
  const placeholders = placeholdersOf(
    input,
    expressions.map((each) => parseCondition(each).used),
  );
  const filter = input.FilterExpression === undefined ? undefined : parseCondition(input.FilterExpression).result;
  const keys = [...new Set([...(index?.keys ?? []), ...table.keys])];
  const isIndexed = (item: Item): boolean => (index?.keys ?? []).every((name) => item[name] !== undefined);
  const inOrder = inKeyOrder(keys, input.ScanIndexForward !== false);
  const items = [...table.items.values()].filter((item) => isIndexed(item) && isMeant(item, placeholders));
  items.sort(inOrder);
  const start = input.ExclusiveStartKey;
  const rest = start === undefined ? items : items.filter((item) => inOrder(item, start) > 0);
  const page = rest.slice(0, input.Limit);
  countRead(
    store,
    page.reduce((sum, item) => sum + bytesOf(item), 0),
    input.ConsistentRead,
  );
  const found = page.filter((item) => filter?.(item, placeholders) ?? true);
  const last = input.Limit !== undefined && page.length === input.Limit ? page.at(-1) : undefined;
  return {
    ...(input.Select !== "COUNT" && { Items: found.map((item) => projected(item, keys, index)) }),
    Count: found.length,
    ScannedCount: page.length,
    ...(last !== undefined && { LastEvaluatedKey: only(last, keys) }),
  };
}

/** DynamoDB has the partitions in the order of a hash. Here they are in the order of their keys, so that a run can be repeated. */
function inKeyOrder(
  keys: readonly string[],
  isForward: boolean,
): (one: Readonly<Item>, other: Readonly<Item>) => number {
  return (one, other) => {
    for (const name of keys) {
      const difference = order(one[name], other[name]);
      if (difference !== 0) {
        return isForward ? difference : -difference;
      }
    }
    return 0;
  };
}

function projected(item: Item, keys: readonly string[], index: Index | undefined): Item {
  return index?.isKeysOnly === true ? only(item, keys) : item;
}

function only(item: Readonly<Item>, names: readonly string[]): Item {
  return Object.fromEntries(names.map((name) => [name, item[name] as AttributeValue]));
}

/** Sizes of items: one that is stored does not change any more. */
const BYTES = new WeakMap<Readonly<Item>, number>();

function bytesOf(item: Readonly<Item>): number {
  const known = BYTES.get(item) ?? itemBytes(wire(item));
  BYTES.set(item, known);
  return known;
}

/** The item as JSON has it; no table here holds binary values. */
function wire(item: Readonly<Item>) {
  return item as unknown as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The greater of the item before and after counts. Indexes are not counted. */
function countWrite(store: InMemoryDynamoDb, ...items: readonly (Item | undefined)[]): void {
  const bytes = Math.max(0, ...items.map((item) => (item === undefined ? 0 : bytesOf(item))));
  store.units.write += Math.max(1, Math.ceil(bytes / WRITE_UNIT));
}

function countRead(store: InMemoryDynamoDb, bytes: number, isConsistent = false): void {
  store.units.read += Math.max(1, Math.ceil(bytes / READ_UNIT)) * (isConsistent ? 1 : 0.5);
}
