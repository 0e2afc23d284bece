import { createRequire } from "node:module";

/**
 * Adds the rules of DynamoDB that dynalite 4 lacks: empty and overlong names, expressions of more than 4 KiB, deep nesting, keys and items that are too large in bytes,
 * empty keys of indexes. It also refuses malformed requests, some of which throw in dynalite where they cannot be caught. The rules are
 * added to dynalite's own functions, so all other checks keep their order. Check this file when the pinned version changes.
 */

/** An attribute value in wire form, such as `{ S: "text" }`, or any other JSON value in its place. */
type Value = Readonly<Record<string, unknown>>;
type Item = Readonly<Record<string, Value>>;

/** An error in dynalite's answer. */
type ApiError = Error & { statusCode: number; body: object };

type KeyElement = { AttributeName: string };
type Index = { IndexName: string; KeySchema: readonly KeyElement[] };
type Table = {
  KeySchema: readonly KeyElement[];
  GlobalSecondaryIndexes?: readonly Index[];
  LocalSecondaryIndexes?: readonly Index[];
};

type Database = {
  itemSize(item: Item, ...rest: unknown[]): number;
  updateIndexes(store: unknown, table: Table, old: Item | null, item: Item | null, done: (error?: Error) => void): void;
  validateKey(key: Item, table: Table, keySchema?: readonly KeyElement[]): ApiError | null | undefined;
  validateItem(item: Item, table: Table): ApiError | null | undefined;
  validationError(message: string): ApiError;
};

type Validations = {
  checkTypes(data: unknown, types: object): Record<string, unknown>;
  checkValidations(data: object, validations: object, custom: unknown, store: unknown): void;
};

/** Bytes of UTF-8 (Amazon DynamoDB, "Quotas"). */
const LARGEST_NAME = 65_535;
const LARGEST_HASH_KEY = 2048;
const LARGEST_RANGE_KEY = 1024;

/** Bytes of one expression, with its placeholders (Amazon DynamoDB, "Quotas"). */
const LARGEST_EXPRESSION = 4096;

const EXPRESSIONS = [
  "UpdateExpression",
  "ConditionExpression",
  "FilterExpression",
  "KeyConditionExpression",
  "ProjectionExpression",
] as const;

/** An attribute is at level 1: a value may be wrapped 31 times. */
const DEEPEST_LEVEL = 32;

/** Adds the rules to dynalite, which must not have been started yet. */
export function enforceRules(): void {
  const require = createRequire(import.meta.url);
  const db = require("dynalite/db") as Database;
  const validations = require("dynalite/validations") as Validations;
  const invalid = (problem: string | undefined): ApiError | undefined =>
    problem === undefined ? undefined : db.validationError(problem);

  const checkTypes = validations.checkTypes.bind(validations);
  validations.checkTypes = (data, types) => {
    if (typeof data !== "object" || data === null || Array.isArray(data)) throw serializationError();
    const checked = answerable(() => checkTypes(data, types), serializationError);
    const error = invalid(requestProblem(checked));
    if (error) throw error;
    return checked;
  };
  const checkValidations = validations.checkValidations.bind(validations);
  validations.checkValidations = (...request) => answerable(() => checkValidations(...request), serializationError);

  db.itemSize = itemBytes;
  const [updateIndexes, validateKey, validateItem] = [
    db.updateIndexes.bind(db),
    db.validateKey.bind(db),
    db.validateItem.bind(db),
  ];
  db.validateKey = (key, table, keySchema = table.KeySchema) =>
    validateKey(key, table, keySchema) ?? invalid(keySizeProblem(key, keySchema));
  db.validateItem = (item, table) =>
    validateItem(item, table) ?? invalid(keySizeProblem(item, table.KeySchema) ?? indexKeyProblem(item, table));
  // The last step of every write that has the whole item; an update has been applied by then.
  db.updateIndexes = (store, table, old, item, done) => {
    const error = item === null ? undefined : invalid(itemProblem(item) ?? indexKeyProblem(item, table));
    if (error) done(error);
    else updateIndexes(store, table, old, item, done);
  };
}

/** Runs a check. Any error that it throws becomes an answer: a request that it cannot read is malformed. */
function answerable<Result>(check: () => Result, otherwise: () => ApiError): Result {
  try {
    return check();
  } catch (error) {
    throw typeof (error as Partial<ApiError>).statusCode === "number" ? error : otherwise();
  }
}

function serializationError(): ApiError {
  const message = "The request is malformed";
  const body = { __type: "com.amazon.coral.service#SerializationException", Message: message };
  return Object.assign(new Error(message), { statusCode: 400, body });
}

/** Members of a request with attribute values, and the depth of lists and maps around the maps of values. */
const VALUE_MAPS = ["Item", "Key", "ExclusiveStartKey", "ExpressionAttributeValues"] as const;
const CONDITION_MAPS = ["Expected", "AttributeUpdates", "KeyConditions", "QueryFilter", "ScanFilter"] as const;

/** The first problem of a request's attribute values and expressions. */
function requestProblem(request: Record<string, unknown>): string | undefined {
  return first(valueMapsOf(request), itemProblem) ?? first(namesOf(request), nameProblem) ?? expressionProblem(request);
}

/** The first problem of a request's expressions. */
export function expressionProblem(request: Readonly<Record<string, unknown>>): string | undefined {
  return first(EXPRESSIONS, (name) => {
    const expression = request[name];
    return typeof expression === "string" && exceeds(expression, LARGEST_EXPRESSION)
      ? `Invalid ${name}: Expression size has exceeded the maximum allowed size; expression size: ${Buffer.byteLength(expression)}`
      : undefined;
  });
}

function* valueMapsOf(request: Record<string, unknown>): Generator<Item> {
  for (const member of VALUE_MAPS) if (isObject(request[member])) yield request[member] as Item;
  for (const member of CONDITION_MAPS) {
    for (const [name, condition] of entriesOf(request[member])) {
      const { Value, AttributeValueList } = condition;
      if (Value !== undefined && Value !== null) yield { [name]: Value as Value };
      for (const value of listOf(AttributeValueList)) yield { [name]: value as Value };
    }
  }
  for (const [, table] of entriesOf(request["RequestItems"])) {
    for (const key of listOf(table["Keys"])) yield key as Item;
    for (const write of Array.isArray(table) ? (table as Record<string, unknown>[]) : []) {
      const { PutRequest: put, DeleteRequest: remove } = (write ?? {}) as Record<
        string,
        { Item?: Item; Key?: Item } | null
      >;
      if (put?.Item) yield put.Item;
      if (remove?.Key) yield remove.Key;
    }
  }
}

function* namesOf(request: Record<string, unknown>): Generator {
  if (isObject(request["ExpressionAttributeNames"])) yield* Object.values(request["ExpressionAttributeNames"]);
}

/** The first problem of an item's names and values. */
export function itemProblem(item: Item): string | undefined {
  if (!isObject(item)) return "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";
  for (const [name, value] of Object.entries(item)) {
    const problem = nameProblem(name) ?? valueProblem(value, 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function nameProblem(name: unknown): string | undefined {
  if (typeof name !== "string") return "One or more parameter values were invalid: Attribute name must not be null";
  if (name === "") return "One or more parameter values were invalid: Empty attribute name";
  if (exceeds(name, LARGEST_NAME)) {
    return `One or more parameter values were invalid: Attribute name is too large, must be no more than ${LARGEST_NAME} bytes`;
  }
  return undefined;
}

function valueProblem(value: unknown, level: number): string | undefined {
  if (level > DEEPEST_LEVEL) {
    return "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit";
  }
  if (!isObject(value) || Object.values(value).every((content) => content === null || content === undefined)) {
    return "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";
  }
  for (const set of ["SS", "NS", "BS"]) {
    if (listOf(value[set]).some((member) => member === null)) {
      return `One or more parameter values were invalid: An ${set} set may not have a null member`;
    }
  }
  const nested = first(listOf(value["L"]), (member) => valueProblem(member, level + 1));
  if (nested !== undefined) return nested;
  return first(
    Object.entries(isObject(value["M"]) ? value["M"] : {}),
    ([name, member]) => nameProblem(name) ?? valueProblem(member, level + 1),
  );
}

function keySizeProblem(item: Item, keySchema: readonly KeyElement[]): string | undefined {
  const [hash, range] = keySchema.map(({ AttributeName }) => item[AttributeName]);
  if (hash && keyBytes(hash) > LARGEST_HASH_KEY) {
    return `One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of${LARGEST_HASH_KEY} bytes`;
  }
  if (range && keyBytes(range) > LARGEST_RANGE_KEY) {
    return `One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of ${LARGEST_RANGE_KEY} bytes`;
  }
  return undefined;
}

/** An item without an index's key is not in the index, but an item whose key is empty or too large is refused. */
function indexKeyProblem(item: Item, table: Table): string | undefined {
  const indexes = [...(table.GlobalSecondaryIndexes ?? []), ...(table.LocalSecondaryIndexes ?? [])];
  return first(indexes, ({ IndexName, KeySchema }) => {
    const empty = KeySchema.find(({ AttributeName: name }) => item[name]?.["S"] === "" || item[name]?.["B"] === "");
    if (empty === undefined) return keySizeProblem(item, KeySchema);
    const type = item[empty.AttributeName]?.["S"] === "" ? "string" : "binary";
    return `One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty ${type} value. IndexName: ${IndexName}, IndexKey: ${empty.AttributeName}`;
  });
}

/** Bytes of a key attribute; the size of a number never matters. */
function keyBytes({ S: text, B: binary }: Value): number {
  if (typeof text === "string") return Buffer.byteLength(text);
  return typeof binary === "string" ? Buffer.byteLength(binary, "base64") : 0;
}

/** Size of an item as DynamoDB counts it (Amazon DynamoDB, "DynamoDB item sizes and formats"). */
export function itemBytes(item: Item): number {
  return sum(Object.keys(item), (name) => Buffer.byteLength(name) + valueBytes(item[name] ?? {}));
}

function valueBytes(value: Value): number {
  const [type = ""] = Object.keys(value);
  const content = value[type];
  switch (type) {
    case "S":
      return Buffer.byteLength(content as string);
    case "B":
      return Buffer.byteLength(content as string, "base64");
    case "N":
      return numberBytes(content as string);
    case "SS":
      return sum(content as string[], (member) => Buffer.byteLength(member));
    case "BS":
      return sum(content as string[], (member) => Buffer.byteLength(member, "base64"));
    case "NS":
      return sum(content as string[], numberBytes);
    case "L":
      return 3 + sum(content as Value[], (member) => 1 + valueBytes(member));
    case "M":
      return (
        3 + sum(Object.entries(content as Item), ([name, member]) => 1 + Buffer.byteLength(name) + valueBytes(member))
      );
    default:
      return 1;
  }
}

/** About one byte for two significant digits, plus one; a sign takes another. */
function numberBytes(number: string): number {
  const digits = number.replace(/e.*$/i, "").replaceAll(/[-+.]/g, "").replace(/^0+/, "").replace(/0+$/, "");
  return 1 + Math.ceil(digits.length / 2) + (number.startsWith("-") ? 1 : 0);
}

function sum<Member>(members: readonly Member[], size: (member: Member) => number): number {
  return members.reduce((total, member) => total + size(member), 0);
}

function exceeds(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}

function first<Member>(
  members: Iterable<Member>,
  problemOf: (member: Member) => string | undefined,
): string | undefined {
  for (const member of members) {
    const problem = problemOf(member);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function entriesOf(value: unknown): [string, Record<string, unknown>][] {
  if (!isObject(value)) return [];
  return Object.entries(value).map(([name, entry]) => [name, (entry ?? {}) as Record<string, unknown>]);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}
