import { isAbsolute } from "node:path";
import * as v from "valibot";
import { parseOrThrow } from "../../core/messages.ts";

/** Calls that may be made to fail. */
const CALLS = [
  "initialized",
  "createVolume",
  "createVolumeFromSnapshot",
  "createClonedVolume",
  "cloneImage",
  "copyImageToVolume",
  "deleteVolume",
  "createSnapshot",
  "deleteSnapshot",
  "findVolume",
  "findSnapshot",
  "listContents",
  "getVolumeStats",
] as const;

/**
 * One fault.
 *
 * - `error`: a name of the error table; any other name, to be raised as it is; `timeout` never answers; `crash` ends the process.
 * - `when`: `before` the call is made, or `after`, so that its work is done and its answer lost.
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
});

/** See {@link FaultSchema}. */
export type Fault = v.InferOutput<typeof FaultSchema>;

/** A call of {@link CALLS}. */
export type FaultCall = Fault["call"];

/** Options of the `fault` driver: the driver that it wraps, with its options, and the faults. */
const FaultDriverOptionsSchema = v.strictObject({
  driver: v.picklist(["file"], "driver must be file"),
  options: v.optional(v.record(v.string(), v.unknown()), {}),
  faults: v.optional(v.array(FaultSchema), []),
  /** Where the faults are counted; shared by all processes that serve the backend. */
  state_directory: v.pipe(
    v.string("state_directory must be a string"),
    v.check(isAbsolute, "state_directory must be an absolute path"),
  ),
});

/** See {@link FaultDriverOptionsSchema}. */
export type FaultDriverOptions = v.InferOutput<typeof FaultDriverOptionsSchema>;

/** Checks the options of a backend. @throws InvalidInput */
export function parseFaultDriverOptions(host: string, options: unknown): FaultDriverOptions {
  return parseOrThrow(FaultDriverOptionsSchema, options, `options of backend ${host}`);
}
