import type { VolumeRecord } from "../../records.ts";
import { badRequest, invalidInput } from "../errors.ts";
import type { Call } from "../http.ts";
import { apiTime } from "../links.ts";
import { RESOURCE_FILTERS } from "../resource-filters.ts";
import { DEFAULT_TYPE_ID } from "../types/default-type.ts";
import { booleanOf, booleanParameter, dictionaryOf } from "../parameters.ts";

/** Whether a volume is among those that a list was narrowed to. */
export type VolumeTest = (volume: VolumeRecord) => boolean;

/** Filters that a member may use, Cinder's defaults and the image metadata; any other one is dropped, or refused from 3.31 on. */
const FOR_EVERYBODY: readonly string[] = [...RESOURCE_FILTERS.volume, "glance_metadata"];

const STRICT_BOOLEAN = 2;
const GLANCE_METADATA = 4;
const GROUP = 10;
const STRICT_FILTERS = 31;
const TIMES = 60;
const CONSUMES_QUOTA = 65;

/** Parameters of a list that are not filters. */
const NO_FILTERS: readonly string[] = [
  "limit",
  "marker",
  "offset",
  "sort",
  "sort_key",
  "sort_dir",
  "with_count",
  "all_tenants",
];

/** Parameters that a filter needs a microversion for; before it they are dropped. */
const SINCE: Readonly<Record<string, number>> = {
  glance_metadata: GLANCE_METADATA,
  group_id: GROUP,
  created_at: TIMES,
  updated_at: TIMES,
  consumes_quota: CONSUMES_QUOTA,
};

type Texts = Readonly<Record<string, (volume: VolumeRecord) => string | null>>;

/** Columns that a filter compares as texts. */
const COLUMNS: Texts = {
  name: ({ display_name: name }) => name,
  display_name: ({ display_name: name }) => name,
  description: ({ display_description: description }) => description,
  status: ({ status }) => status,
  migration_status: ({ migration_status: status }) => status,
  availability_zone: ({ availability_zone: zone }) => zone,
  size: ({ size }) => String(size),
  id: ({ id }) => id,
  project_id: ({ project_id: id }) => id,
  user_id: ({ user_id: id }) => id,
  host: ({ host }) => host,
  volume_type_id: ({ volume_type_id: id }) => id ?? DEFAULT_TYPE_ID,
  snapshot_id: ({ snapshot_id: id }) => id,
  source_volid: ({ source_volid: id }) => id,
};

/**
 * The filters of a list of volumes. Filters that a member may not use are dropped silently, as in Cinder: clients send them for every user.
 *
 * @throws ApiError 400 for a value that cannot be, and for unknown filters from 3.31 on
 */
export function volumeFilters(call: Call): VolumeTest[] {
  const { query, version, caller } = call;
  const names = [...new Set(query.keys())].filter((name) => !NO_FILTERS.includes(name));
  const isUsable = (name: string): boolean =>
    (caller.isAdmin || FOR_EVERYBODY.includes(name)) && version >= (SINCE[name] ?? 0);
  if (version >= STRICT_FILTERS && !caller.isAdmin) {
    const unknown = names.filter((name) => !FOR_EVERYBODY.includes(name));
    if (unknown.length > 0) {
      throw badRequest(`Invalid filters ${unknown.join(",")} are found in query options.`);
    }
  }
  return names.filter(isUsable).map((name) => volumeFilter(call, name, query.get(name) ?? ""));
}

function volumeFilter({ version, query }: Call, name: string, value: string): VolumeTest {
  switch (name) {
    case "metadata":
      return hasAll(value, (volume) => volume.metadata);
    case "glance_metadata":
      return hasAll(value, (volume) => volume.glance_metadata);
    case "bootable":
    case "multiattach":
      return booleanFilter(name, value, version >= STRICT_BOOLEAN);
    case "consumes_quota": {
      const consumes = booleanParameter(query, name);
      return (volume) => (volume.use_quota ?? false) === consumes;
    }
    case "group_id":
      return () => false;
    case "created_at":
    case "updated_at":
      return timeFilter(name, value);
    default: {
      const column = Object.hasOwn(COLUMNS, name) ? COLUMNS[name] : undefined;
      // Cinder's database knows no such column, and so finds nothing.
      return column === undefined ? () => false : (volume) => column(volume) === value;
    }
  }
}

function hasAll(value: string, of: (volume: VolumeRecord) => Record<string, string>): VolumeTest {
  const wanted = dictionaryOf(value);
  if (wanted === undefined) {
    return () => false;
  }
  return (volume) => Object.entries(wanted).every(([key, item]) => of(volume)[key] === item);
}

/** Before 3.2 every word but those for false means true. */
function booleanFilter(name: "bootable" | "multiattach", value: string, strict: boolean): VolumeTest {
  const asked = booleanOf(value);
  if (asked === undefined && strict) {
    throw invalidInput(`'${name} = ${value}'`);
  }
  const wanted = asked ?? true;
  return (volume) => (name === "bootable" ? volume.bootable : false) === wanted;
}

const OPERATORS: Readonly<Record<string, (one: string, other: string) => boolean>> = {
  gt: (one, other) => one > other,
  gte: (one, other) => one >= other,
  eq: (one, other) => one === other,
  neq: (one, other) => one !== other,
  lt: (one, other) => one < other,
  lte: (one, other) => one <= other,
};

/** `gt:2026-01-01T00:00:00,lt:...` */
function timeFilter(name: "created_at" | "updated_at", value: string): VolumeTest {
  const tests = value.split(",").map((comparison) => {
    const [operator = "", ...rest] = comparison.split(":");
    const compare = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
    if (compare === undefined) {
      throw badRequest(`Invalid ${operator} operator`);
    }
    const text = rest.join(":");
    const at = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`);
    if (Number.isNaN(at)) {
      throw badRequest(`Invalid ${text} value`);
    }
    return (volume: VolumeRecord) => compare(apiTime(volume[name]), apiTime(new Date(at).toISOString()));
  });
  return (volume) => tests.every((test) => test(volume));
}
