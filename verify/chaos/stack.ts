import path from "node:path";
import { parseTimeBounds, type TimeBounds } from "../../core/settings/time-bounds.ts";

/**
 * Short, so that what no message or execution decides any more is decided within a minute or two. The long time-out leaves a copy ten
 * seconds of work in each turn, in addition to the driver's reserve.
 */
export const TIME_BOUNDS: TimeBounds = parseTimeBounds({
  short_function_timeout_seconds: 4,
  long_function_timeout_seconds: 14,
  queued_seconds: 121,
  scheduled_seconds: 55,
  creating_seconds: 49,
  copying_seconds: 49,
  open_claim_seconds: 19,
  removal_seconds: 19,
});

/** The zone of most of the work. */
export const ZONE = "nova";
/** The zone of the backend that hangs for a part of the run, and of the volumes that are asked for there. */
export const HANGING_ZONE = "hanging";
/** The zone of the backend that keeps volumes of images, and of volumes of images that are asked for there. */
export const CACHING_ZONE = "caching";

/** Where a volume is asked for. */
export type Zone = typeof ZONE | typeof HANGING_ZONE | typeof CACHING_ZONE;

const backendNamed = (name: string, zone: Zone) => ({ host: `chaos@${name}`, name, zone });

/** One of the two backends that most of the work is on. */
export const FIRST_BACKEND = backendNamed("first", ZONE);

/** The backend whose every call hangs from a moment of the run until the work on the others has come to rest. */
export const HANGING_BACKEND = backendNamed("hanging", HANGING_ZONE);

/** The backend with an image-volume cache. Its cached volumes lose bytes while the process is dead. */
export const CACHING_BACKEND = backendNamed("caching", CACHING_ZONE);

/**
 * The backends of the run: `host@backend`, the name of its directory, and its availability zone. The one that hangs comes first, so that
 * whatever asks one backend after the other is held up for all of them.
 */
export const BACKENDS = [HANGING_BACKEND, FIRST_BACKEND, backendNamed("second", ZONE), CACHING_BACKEND];

/** Where a backend keeps its volumes. */
export function backendDirectory(directory: string, name: string): string {
  return path.join(directory, "backends", name);
}

/** Files from which a backend may clone an image. None is ever there: each image is looked for and then downloaded. */
function imageDirectory(directory: string): string {
  return path.join(directory, "image-files");
}

/** Where the faults of a backend are counted. */
export function faultDirectory(directory: string, name: string): string {
  return path.join(directory, "faults", name);
}

/** The file that makes {@link HANGING_BACKEND} hang while it exists. */
export function hangFile(directory: string): string {
  return path.join(directory, "hang");
}

/**
 * CDK context of the run: directories with a driver that fails at random, short bounds, and room for every volume, since they
 * hold next to nothing.
 */
export function chaosContext(directory: string, seed: number, rate: number): Record<string, unknown> {
  const backends = BACKENDS.map(({ host, name, zone }, index) => ({
    host,
    driver: "fault",
    availability_zone: zone,
    capabilities: { volume_backend_name: name },
    ...(host === CACHING_BACKEND.host && { image_volume_cache_enabled: true }),
    options: {
      driver: "file",
      options: {
        directory: backendDirectory(directory, name),
        image_directory: imageDirectory(directory),
        turn_reserve_seconds: 4,
      },
      state_directory: faultDirectory(directory, name),
      random: { seed: seed + index, rate, slow_milliseconds: 1500 },
      ...(host === HANGING_BACKEND.host && { hang_file: hangFile(directory) }),
    },
  }));
  return {
    fileSystem: "none",
    backends,
    time_bounds: TIME_BOUNDS,
    scheduler: { max_over_subscription_ratio: 10_000 },
    blockStorageApi: { auth: "noauth" },
  };
}
