import { badRequest, invalidInput } from "./errors.ts";

/** Parameters of a query, read as Cinder reads them. */

const TRUE = ["1", "t", "true", "on", "y", "yes"];
const FALSE = ["0", "f", "false", "off", "n", "no"];

/** Largest integer of a column of Cinder's database (`cinder.db.constants.MAX_INT`). */
export const MAX_INT = 0x7f_ff_ff_ff;

/** A boolean in any of the spellings that oslo.utils takes, or undefined. */
export function booleanOf(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  if (TRUE.includes(word)) {
    return true;
  }
  return FALSE.includes(word) ? false : undefined;
}

/** A boolean parameter; false when it is absent (`utils.get_bool_param`). @throws ApiError 400 for any other word */
export function booleanParameter(query: URLSearchParams, name: string, absent = false): boolean {
  const text = query.get(name);
  if (text === null) {
    return absent;
  }
  const value = booleanOf(text);
  if (value === undefined) {
    throw badRequest(`Value '${text}' for '${name}' is not a boolean.`);
  }
  return value;
}

/** Where a page begins, and how long it is at most. */
export type Pagination = { limit: number; marker: string | null; offset: number };

/** Most items on one page (`osapi_max_limit`). */
const MAX_LIMIT = 1_000;

/** `limit`, `marker` and `offset` (`common.get_pagination_params`). @throws ApiError 400 that says which of them is wrong */
export function paginationOf(query: URLSearchParams): Pagination {
  const limitText = query.get("limit");
  if (limitText !== null && !/^\s*[+-]?\d+\s*$/.test(limitText)) {
    throw badRequest("limit param must be an integer");
  }
  const limit = limitText === null ? MAX_LIMIT : Number(limitText);
  if (limit < 0) {
    throw badRequest("limit param must be positive");
  }
  return {
    limit: Math.min(limit, MAX_LIMIT),
    marker: query.get("marker"),
    offset: integerParameter(query.get("offset") ?? "0", "offset", 0, MAX_INT),
  };
}

/** An integer within bounds (`api_utils.validate_integer`). @throws ApiError 400 that names it */
export function integerParameter(text: string, name: string, least: number, most: number): number {
  if (!/^\s*[+-]?\d+\s*$/.test(text)) {
    throw badRequest(`${name} must be an integer`);
  }
  const value = Number(text);
  if (value < least) {
    throw badRequest(`${name} must be >= ${least}`);
  }
  if (value > most) {
    throw badRequest(`${name} must be <= ${most}`);
  }
  return value;
}

/** One key of an order. */
export type SortKey = { key: string; descending: boolean };

/**
 * `sort`, or `sort_key` and `sort_dir` (`common.get_sort_params`); newest first without either.
 *
 * @param keys the resource's keys, by their names in requests
 * @throws ApiError 400 for an unknown key or direction
 */
export function sortOf(query: URLSearchParams, keys: Readonly<Record<string, string>>): SortKey[] {
  const sort = query.get("sort");
  if (sort !== null && (query.has("sort_key") || query.has("sort_dir"))) {
    throw badRequest(
      "The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with the 'sort' parameter.",
    );
  }
  const asked =
    sort === null
      ? [[query.get("sort_key") ?? "created_at", query.get("sort_dir") ?? "desc"]]
      : sort.split(",").map((each) => each.split(":"));
  return asked.map(([name = "", direction = ""]) => {
    const key = name.trim();
    const order = direction.trim() || "desc";
    if (order !== "asc" && order !== "desc") {
      throw invalidInput("Unknown sort direction, must be 'desc' or 'asc'.");
    }
    if (!Object.hasOwn(keys, key)) {
      throw invalidInput("Invalid sort key");
    }
    return { key: keys[key] ?? key, descending: order === "desc" };
  });
}

/**
 * A dictionary in a filter, as JSON or as Python writes one: `{"a": "b"}` or `{'a': 'b'}`. Undefined when it is neither.
 */
export function dictionaryOf(text: string): Record<string, string> | undefined {
  for (const candidate of [text, pythonToJson(text)]) {
    try {
      const value: unknown = JSON.parse(candidate);
      if (typeof value === "object" && value !== null && !Array.isArray(value)) {
        return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)]));
      }
    } catch {
      // The other spelling.
    }
  }
  return undefined;
}

/** Texts in single quotes as texts in double quotes. */
function pythonToJson(text: string): string {
  return text.replaceAll(/u?'((?:[^'\\]|\\.)*)'/g, (_all, content: string) =>
    JSON.stringify(content.replaceAll(/\\(.)/g, "$1")),
  );
}
