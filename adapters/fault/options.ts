import { isAbsolute } from "node:path";
import * as v from "valibot";
import { parseOrThrow } from "../../core/requests/parsing.ts";

/** Calls that may be made to fail. */
const CALLS = [
  "initialized",
  "createVolume",
  "createVolumeFromSnapshot",
  "createClonedVolume",
  "cloneImage",
  "copyImageToVolume",
  "deleteVolume",
  "extendVolume",
  "closeAttempt",
  "closeSnapshot",
  "forgetClosedAttempts",
  "initializeConnection",
  "createSnapshot",
  "deleteSnapshot",
  "findVolume",
  "findSnapshot",
  "listContents",
  "getVolumeStats",
] as const;

const absolutePath = (name: string) =>
  v.pipe(v.string(`${name} must be a string`), v.check(isAbsolute, `${name} must be an absolute path`));

/**
 * One fault.
 *
 * - `error`: a name of the error table; any other name, thrown unchanged; `timeout` never answers; `crash` ends the process; `none` lets the
 *   call succeed.
 * - `when`: `before` the call is made, or `after`, so that its work is done and its answer lost.
 * - `hold_file`: the call waits at `when` while a file of this name exists.
 * - `times`: for the first so many calls, over all processes that share the state directory.
 */
const FaultSchema = v.strictObject({
  call: v.picklist(CALLS, `call must be one of ${CALLS.join(", ")}`),
  error: v.pipe(v.string(), v.regex(/^[A-Za-z][A-Za-z0-9._]*$/, "error must be an error's name")),
  message: v.optional(v.string(), "made to fail"),
  times: v.optional(
    v.union(
      [v.pipe(v.number(), v.integer(), v.minValue(1)), v.literal("always")],
      'times must be a positive integer or "always"',
    ),
    1,
  ),
  when: v.optional(v.picklist(["before", "after"], "when must be before or after"), "before"),
  hold_file: v.exactOptional(absolutePath("hold_file")),
});

/** See {@link FaultSchema}. */
export type Fault = v.InferOutput<typeof FaultSchema>;

/** A call of {@link CALLS}. */
export type FaultCall = Fault["call"];

/**
 * The kinds of random faults.
 *
 * - `refused`: VolumeBackendAPIException, without an effect.
 * - `lost_answer`: all was done, and an error of no known name comes back.
 * - `slow`: the call takes longer, and succeeds.
 * - `hang`: nothing is done, and no answer ever comes: the caller times out.
 * - `done_then_hang`: all was done, and no answer ever comes.
 * - `late`: an error of no known name comes back at once, and all is done later, after the caller has given up.
 * - `done_then_refused`: all was done, and VolumeBackendAPIException comes back, which says that nothing was.
 * - `crash`, `done_then_crash`: the process ends, before or after the work.
 */
export const RANDOM_FAULT_KINDS = [
  "refused",
  "lost_answer",
  "slow",
  "hang",
  "done_then_hang",
  "late",
  "done_then_refused",
  "crash",
  "done_then_crash",
] as const;

/** A kind of {@link RANDOM_FAULT_KINDS}. */
export type RandomFaultKind = (typeof RANDOM_FAULT_KINDS)[number];

const milliseconds = (fallback: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(900_000)), fallback);

/** Faults at a rate. They strike calls that name a volume or a snapshot, never `initialized`, `listContents` or `getVolumeStats`. */
const RandomFaultsSchema = v.strictObject({
  seed: v.pipe(v.number("seed must be a whole number"), v.integer("seed must be a whole number")),
  rate: v.pipe(
    v.number("rate must be a number from 0 to 1"),
    v.minValue(0, "rate must be a number from 0 to 1"),
    v.maxValue(1, "rate must be a number from 0 to 1"),
  ),
  kinds: v.optional(
    v.pipe(
      v.array(v.picklist(RANDOM_FAULT_KINDS, `kinds must be some of ${RANDOM_FAULT_KINDS.join(", ")}`)),
      v.minLength(1, "kinds must name one at least"),
    ),
    [...RANDOM_FAULT_KINDS],
  ),
  /** The longest delay of `slow`. */
  slow_milliseconds: milliseconds(1000),
  /** The longest until the effect of `late`. */
  late_milliseconds: milliseconds(15_000),
});

/** See {@link RandomFaultsSchema}. */
export type RandomFaults = v.InferOutput<typeof RandomFaultsSchema>;

/** Options of the `fault` driver: the driver that it wraps, with its options, and the faults. */
const FaultDriverOptionsSchema = v.strictObject({
  driver: v.picklist(["file"], "driver must be file"),
  options: v.optional(v.record(v.string(), v.unknown()), {}),
  faults: v.optional(v.array(FaultSchema), []),
  /** Apply when no entry of `faults` does. */
  random: v.optional(RandomFaultsSchema),
  /** While a file of this name exists, no call returns, as on a mount whose server does not answer. After that they fail. */
  hang_file: v.exactOptional(absolutePath("hang_file")),
  /** Directory in which faults are counted, shared by all processes that serve the backend. */
  state_directory: absolutePath("state_directory"),
});

/** See {@link FaultDriverOptionsSchema}. */
export type FaultDriverOptions = v.InferOutput<typeof FaultDriverOptionsSchema>;

/** Checks the options of a backend. @throws InvalidInput */
export function parseFaultDriverOptions(host: string, options: unknown): FaultDriverOptions {
  return parseOrThrow(FaultDriverOptionsSchema, options, `options of backend ${host}`);
}
