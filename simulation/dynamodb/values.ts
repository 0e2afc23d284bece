import type { AttributeValue } from "@aws-sdk/client-dynamodb";

/** Attribute values in wire form: how they are copied, compared and found by path. */

/** An item. */
export type Item = Record<string, AttributeValue>;

/** A document path: names of attributes and map entries. The project's expressions have no list elements in paths. */
export type Path = readonly string[];

/** A deep, frozen copy, so that items can share their common parts. A frozen item is not copied. */
export function frozenItem(item: Readonly<Item>): Item {
  if (Object.isFrozen(item)) {
    return item;
  }
  const copy: Item = {};
  for (const name of Object.keys(item)) {
    setOwn(copy, name, frozenValue(item[name] as AttributeValue));
  }
  return Object.freeze(copy);
}

/** The same of one value. */
export function frozenValue(value: AttributeValue): AttributeValue {
  if (Object.isFrozen(value)) {
    return value;
  }
  if (value.M !== undefined) {
    return Object.freeze({ M: frozenItem(value.M) });
  }
  if (value.L !== undefined) {
    return Object.freeze({ L: Object.freeze(value.L.map(frozenValue)) as AttributeValue[] });
  }
  return Object.freeze({ ...value });
}

/** The value at a path, if there is one. */
export function valueAt(item: Readonly<Item>, path: Path): AttributeValue | undefined {
  let map: Readonly<Item> | undefined = item;
  let value: AttributeValue | undefined;
  for (const name of path) {
    value = map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined;
    map = value?.M;
  }
  return value;
}

/** Sets an entry of a map, whatever its name. */
export function setOwn(map: Item, name: string, value: AttributeValue): void {
  if (name === "__proto__") {
    Object.defineProperty(map, name, { value, writable: true, enumerable: true, configurable: true });
  } else {
    map[name] = value;
  }
}

/** Equality of DynamoDB: of type and value, with numbers by their value. */
export function isEqual(one: AttributeValue | undefined, other: AttributeValue | undefined): boolean {
  if (one === undefined || other === undefined || typeOf(one) !== typeOf(other)) {
    return false;
  }
  if (one.M !== undefined && other.M !== undefined) {
    const [left, right] = [one.M, other.M];
    const names = Object.keys(left);
    return (
      names.length === Object.keys(right).length &&
      names.every((name) => Object.hasOwn(right, name) && isEqual(left[name], right[name]))
    );
  }
  if (one.L !== undefined && other.L !== undefined) {
    const right = other.L;
    return one.L.length === right.length && one.L.every((value, index) => isEqual(value, right[index]));
  }
  return order(one, other) === 0 || (one.BOOL !== undefined && one.BOOL === other.BOOL) || one.NULL !== undefined;
}

/** Negative, zero or positive for two texts or two numbers; NaN for all else. Texts are in the order of their UTF-8. */
export function order(one: AttributeValue | undefined, other: AttributeValue | undefined): number {
  if (one?.S !== undefined && other?.S !== undefined) {
    return one.S === other.S ? 0 : Buffer.compare(Buffer.from(one.S), Buffer.from(other.S));
  }
  if (one?.N !== undefined && other?.N !== undefined) {
    return Number(one.N) - Number(other.N);
  }
  return Number.NaN;
}

/** `S`, `N`, `M` and so on. */
function typeOf(value: AttributeValue): string {
  return Object.keys(value)[0] ?? "";
}
