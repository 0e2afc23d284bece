import { InvalidInput } from "../errors.ts";

/**
 * Values that DynamoDB can store in a map. It refuses an empty attribute name, and its SDK loses the key `__proto__`, so foreign values are
 * checked or cleaned here before they are stored.
 */

/** Longest key and value of a volume's metadata, in characters as Python counts them: code points (Cinder's columns). */
const LONGEST_METADATA = 255;

/** Deepest nesting of an attribute (DynamoDB's limit is 32 levels, of which the item has a few). */
const DEEPEST = 28;

/** Whether a map may have the key. */
export function isStorableKey(key: string): boolean {
  return key !== "" && key !== "__proto__" && key.length <= 65_535;
}

/**
 * Refuses metadata that Cinder's API refuses: keys of 1 to 255 characters, values of at most 255 (`check_metadata_properties` of
 * `cinder/utils.py`).
 *
 * @throws InvalidInput that names the key
 */
export function requireMetadata(metadata: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(metadata)) {
    const shown = JSON.stringify(Array.from(key).slice(0, 40).join(""));
    if (key === "" || Array.from(key).length > LONGEST_METADATA) {
      throw new InvalidInput(
        `metadata key ${shown} must have 1 to ${LONGEST_METADATA} characters, not ${Array.from(key).length}`,
      );
    }
    if (!isStorableKey(key)) {
      throw new InvalidInput(`metadata key ${shown} cannot be stored`);
    }
    if (typeof value !== "string" || Array.from(value).length > LONGEST_METADATA) {
      throw new InvalidInput(
        `the value of metadata key ${shown} must be a string of at most ${LONGEST_METADATA} characters`,
      );
    }
  }
}

/** A value without its unstorable parts, and their paths. */
export type Storable<Value> = { value: Value; dropped: string[] };

/**
 * Leaves out what cannot be stored: keys that no map may have, numbers that are not finite or not exact, functions and the like, and
 * what nests too deep. Nothing is left out silently: the caller logs `dropped`.
 */
export function storable(map: Readonly<Record<string, unknown>>): Storable<Record<string, unknown>> {
  const dropped: string[] = [];
  const value = storableMap(map, "", 0, dropped);
  return { value, dropped };
}

function storableMap(
  map: Readonly<Record<string, unknown>>,
  path: string,
  depth: number,
  dropped: string[],
): Record<string, unknown> {
  const entries = Object.entries(map).flatMap(([key, value]): [string, unknown][] => {
    const at = path === "" ? JSON.stringify(key) : `${path}.${JSON.stringify(key)}`;
    const kept = isStorableKey(key) ? storableValue(value, at, depth + 1, dropped) : undefined;
    if (kept === undefined && !dropped.some((known) => known.startsWith(`${at}.`))) {
      dropped.push(at);
    }
    return kept === undefined ? [] : [[key, kept]];
  });
  return Object.fromEntries(entries);
}

/** Undefined when the value cannot be stored. */
function storableValue(value: unknown, path: string, depth: number, dropped: string[]): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean") {
    return value;
  }
  if (typeof value === "number") {
    const isExact = Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
    return isExact ? value : undefined;
  }
  if (typeof value !== "object" || depth > DEEPEST) {
    return undefined;
  }
  if (Array.isArray(value)) {
    return value.flatMap((entry: unknown, index) => {
      const kept = storableValue(entry, `${path}.${index}`, depth + 1, dropped);
      if (kept === undefined) {
        dropped.push(`${path}.${index}`);
      }
      return kept === undefined ? [] : [kept];
    });
  }
  return storableMap(value as Record<string, unknown>, path, depth, dropped);
}
