import type { Table } from "aws-cdk-lib/aws-dynamodb";
import type { EnvironmentKey } from "../core/settings/environment.ts";
import type { FunctionName } from "../core/settings/functions.ts";
import { settingsByHost } from "../core/image-cache/image-cache.ts";
import type { Configuration } from "./configuration.ts";
import type { Conditions, Functions } from "./functions.ts";
import type { Records } from "./records.ts";
import generated from "./table-access.json" with { type: "json" };

/** A table, by its name in `Records`. */
type TableName =
  | "volumes"
  | "snapshots"
  | "volumeTypes"
  | "backends"
  | "claims"
  | "locks"
  | "deadLetters"
  | "imageCache"
  | "projects";

/** Actions on a table; for a write every attribute that its requests name, for a query its indexes (an empty text is the table itself). */
type Actions = Readonly<Partial<Record<string, readonly string[]>>>;

type Access = Readonly<Partial<Record<FunctionName, Readonly<Partial<Record<TableName, Actions>>>>>>;

/** Generated from the functions' declared ports by `npm run docs`. */
const ACCESS: { always: Access; with_image_cache: Access } = generated;

const ENVIRONMENT_KEYS: Readonly<Record<TableName, EnvironmentKey>> = {
  volumes: "volumesTable",
  snapshots: "snapshotsTable",
  volumeTypes: "volumeTypesTable",
  backends: "backendsTable",
  claims: "claimsTable",
  locks: "locksTable",
  deadLetters: "deadLettersTable",
  imageCache: "imageCacheTable",
  projects: "projectsTable",
};

const READS = ["GetItem", "BatchGetItem", "Scan", "Query"];

/** Writes with restricted attributes; a deletion removes the whole item. */
const BOUND = ["PutItem", "UpdateItem"];

/** Whether a stack's functions can use the image-volume cache: some backend enables it. */
function hasImageCache({ backends }: Configuration): boolean {
  return settingsByHost(backends).size > 0;
}

/**
 * Gives each function the rights on tables that its declared ports need, and the names of those tables. A write may only name the attributes that its
 * repository's requests name, to set them or to test them.
 *
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
 */
export function grantTables(parts: { functions: Functions; records: Records; configuration: Configuration }): void {
  const access = hasImageCache(parts.configuration) ? { ...ACCESS.always, ...ACCESS.with_image_cache } : ACCESS.always;
  for (const [name, tables] of Object.entries(access) as [FunctionName, Partial<Record<TableName, Actions>>][]) {
    if (!parts.functions.names.includes(name)) {
      continue;
    }
    for (const [table, actions] of Object.entries(tables) as [TableName, Actions][]) {
      const { functions, records, configuration } = parts;
      grant(functions, name, records[table], actions, keysOf(name, configuration));
      functions.setEnvironment(name, { [ENVIRONMENT_KEYS[table]]: records[table].tableName });
    }
  }
}

/** Characters of the hosts that a policy names. All policies of a role have at most 10,240. */
const LONGEST_HOSTS = 4_096;

/** The key of any pool of any backend. */
const ANY_POOL = "*@*#*";

/**
 * Restricts keys that have a pattern: a report belongs to a pool of a configured backend, or to any pool when the backends are too many to
 * name in a policy. Claims have to be closed even on a backend that is no longer configured, and all other keys are ids.
 */
function keysOf(name: FunctionName, { backends }: Configuration): Conditions {
  if (name !== "ReportBackends") {
    return {};
  }
  const pools = backends.map(({ host }) => `${host}#*`);
  const named = JSON.stringify(pools).length <= LONGEST_HOSTS ? pools : [ANY_POOL];
  return { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": named } };
}

function grant(functions: Functions, name: FunctionName, table: Table, actions: Actions, keys: Conditions): void {
  const isReader = READS.some((action) => Object.hasOwn(actions, action));
  const plain = Object.keys(actions).filter((action) => action !== "Query" && !BOUND.includes(action));
  if (plain.length > 0) {
    functions.allowIf(name, keys, plain.map(qualified), table.tableArn);
  }
  const queried = actions["Query"] ?? [];
  if (queried.length > 0) {
    const resources = queried.map((index) => (index === "" ? table.tableArn : `${table.tableArn}/index/${index}`));
    functions.allow(name, [qualified("Query")], ...resources);
  }
  for (const action of BOUND) {
    const attributes = actions[action];
    if (attributes !== undefined) {
      const conditions = { ...keys, ...onlyAttributes(attributes), ...(isReader ? {} : RETURNS_NOTHING) };
      functions.allowIf(name, conditions, [qualified(action)], table.tableArn);
    }
  }
}

/** For a nested attribute the top-level one counts. Returned attributes do not count. */
function onlyAttributes(attributes: readonly string[]): Conditions {
  return { "ForAllValues:StringEquals": { "dynamodb:Attributes": attributes } };
}

/** A function that may not read the items must not get them from a write either. */
const RETURNS_NOTHING: Conditions = { StringEqualsIfExists: { "dynamodb:ReturnValues": "NONE" } };

function qualified(action: string): string {
  return `dynamodb:${action}`;
}
