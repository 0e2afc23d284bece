import path from "node:path";
import { parseTimeBounds, type TimeBounds } from "../../core/time-bounds.ts";

/**
 * Short, so that what no message or execution decides any more is decided within a minute or two. The long time-out leaves a copy
 * ten seconds of work in each turn, beside those that the driver keeps in reserve.
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

/** The backends of the run: `host@backend`, and where its files are. */
export const BACKENDS = ["first", "second"].map((name) => ({ host: `chaos@${name}`, name }));

/** Where a backend keeps its volumes. */
export function backendDirectory(directory: string, name: string): string {
  return path.join(directory, "backends", name);
}

/** Files from which a backend may clone an image. None is ever there: each image is looked for and then downloaded. */
export function imageDirectory(directory: string): string {
  return path.join(directory, "image-files");
}

/** Where the faults of a backend are counted. */
export function faultDirectory(directory: string, name: string): string {
  return path.join(directory, "faults", name);
}

/**
 * CDK context of the run: two directories with a driver that fails at random, short bounds, and room for every volume, since they
 * hold next to nothing.
 */
export function chaosContext(directory: string, seed: number, rate: number): Record<string, unknown> {
  const backends = BACKENDS.map(({ host, name }, index) => ({
    host,
    driver: "fault",
    capabilities: { volume_backend_name: name },
    options: {
      driver: "file",
      options: {
        directory: backendDirectory(directory, name),
        image_directory: imageDirectory(directory),
        turn_reserve_seconds: 4,
      },
      state_directory: faultDirectory(directory, name),
      random: { seed: seed + index, rate, slow_milliseconds: 1500 },
    },
  }));
  return { fileSystem: "none", backends, time_bounds: TIME_BOUNDS, scheduler: { max_over_subscription_ratio: 10_000 } };
}
