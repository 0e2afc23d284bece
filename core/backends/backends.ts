import * as v from "valibot";
import { describeError, InvalidInput } from "../errors.ts";
import { parseOrThrow } from "../requests/parsing.ts";
import { DEFAULT_POOL_NAME } from "../scheduling/backend-report.ts";

const cacheBound = (name: string) => {
  const rule = `${name} must be a whole number, 0 or more`;
  return v.pipe(v.number(rule), v.integer(rule), v.minValue(0, rule));
};

/**
 * The configured backends, as CDK context gives them and as the functions read them from their code.
 *
 * `host` is Cinder's `host@backend`; the pool is added from the driver's report. A backend that reports no pools gets one, named by
 * `volume_backend_name`, else `_pool0` (`cinder/scheduler/host_manager.py`).
 */
const BackendSchema = v.strictObject({
  host: v.pipe(v.string(), v.regex(/^[A-Za-z0-9._-]+@[A-Za-z0-9._-]+$/, "host must be host@backend")),
  /** Names one of `adapters/driver-options.ts`, which knows the drivers and checks their options. */
  driver: v.pipe(v.string("driver must be the name of a driver"), v.nonEmpty("driver must be the name of a driver")),
  /** File of a driver outside this tree, which the functions are bundled with; the driver is `module` then. */
  module: v.exactOptional(v.pipe(v.string("module must be a path"), v.nonEmpty("module must be a path"))),
  availability_zone: v.optional(v.pipe(v.string(), v.nonEmpty()), "nova"),
  /** Options of the driver, which owns their schema. */
  options: v.optional(v.record(v.string(), v.unknown()), {}),
  /** Reported together with the driver's own capabilities. */
  capabilities: v.optional(v.record(v.string(), v.unknown()), {}),
  reserved_percentage: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(100)), 0),
  max_over_subscription_ratio: v.optional(v.nullable(v.union([v.number(), v.literal("auto")])), null),
  /** The image-volume cache (docs/adr/0018), off unless it is switched on; a bound of 0 means no limit. */
  image_volume_cache_enabled: v.exactOptional(v.boolean("image_volume_cache_enabled must be true or false")),
  image_volume_cache_max_count: v.exactOptional(cacheBound("image_volume_cache_max_count")),
  image_volume_cache_max_size_gb: v.exactOptional(cacheBound("image_volume_cache_max_size_gb")),
});

/** One configured backend. */
export type Backend = v.InferOutput<typeof BackendSchema>;

/**
 * Reads the list of backends, all but the options of their drivers.
 *
 * @throws InvalidInput when an entry is wrong or a host occurs twice; it names the backend and, of an unknown key, the known ones.
 */
export function parseBackends(value: unknown): Backend[] {
  const backends = parseOrThrow(
    v.pipe(v.array(BackendSchema), v.minLength(1, "at least one backend")),
    Array.isArray(value) ? value.map(withDriver) : value,
    "backends",
    (path) => path.replace(/^\d+/, (index) => nameOfEntry(Array.isArray(value) ? value[Number(index)] : null) ?? index),
  );
  const seen = new Set<string>();
  for (const { host } of backends) {
    requireUnseen(host, seen);
  }
  return backends;
}

function requireUnseen(host: string, seen: Set<string>): void {
  if (seen.has(host)) {
    throw new InvalidInput(`backends: duplicate host ${host}`);
  }
  seen.add(host);
}

/** A file system by its mount point in the functions, and by the export `SERVER:/PATH` that other hosts mount. */
export type ExportedFileSystem = { mount_point: string; export: string };

/** The availability zones of backends; the first one is the default. */
export function zonesOf(backends: readonly Backend[]): string[] {
  return [...new Set(backends.map(({ availability_zone: zone }) => zone))];
}

/** Name of the driver of an entry that names a module. */
export const MODULE_DRIVER = "module";

/** An entry with a module needs no other driver. */
function withDriver(entry: unknown): unknown {
  const isOfModule = typeof entry === "object" && entry !== null && "module" in entry && !("driver" in entry);
  return isOfModule ? { ...entry, driver: MODULE_DRIVER } : entry;
}

/** A backend that was configured, and cannot be used as it is. */
export type UnusableBackend = { host: string; reason: string };

/**
 * Reads a list that was checked when it was deployed. An entry that is nevertheless wrong (another release wrote it, or the environment was
 * edited) only affects its own backend.
 *
 * @throws InvalidInput when it is not a list
 */
export function readDeployedBackends(value: unknown): { backends: Backend[]; unusable: UnusableBackend[] } {
  const backends: Backend[] = [];
  const unusable: UnusableBackend[] = [];
  const seen = new Set<string>();
  for (const [index, entry] of parseOrThrow(v.array(v.unknown()), value, "backends").entries()) {
    const host = nameOfEntry(entry) ?? `backend ${index}`;
    try {
      const read = parseBackends([entry]);
      requireUnseen(host, seen);
      backends.push(...read);
    } catch (error) {
      unusable.push({ host, reason: describeError(error).message });
    }
  }
  return { backends, unusable };
}

function nameOfEntry(entry: unknown): string | undefined {
  const result = v.safeParse(v.object({ host: BackendSchema.entries.host }), entry);
  return result.success ? result.output.host : undefined;
}

/** Name of the one pool of a backend that reports none. */
export function poolOf(backend: Backend): string {
  const name = backend.capabilities["volume_backend_name"];
  return typeof name === "string" && name !== "" ? name : DEFAULT_POOL_NAME;
}

/** `host@backend#pool` without its pool. */
export function backendHost(host: string): string {
  const pool = host.indexOf("#");
  return pool === -1 ? host : host.slice(0, pool);
}
