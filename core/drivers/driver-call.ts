import * as v from "valibot";

/** Fields of every call: the backend as `host@backend`, with or without a pool. */
const host = v.pipe(v.string(), v.nonEmpty("host must not be empty"));
const volumeId = v.pipe(v.string(), v.uuid("volume_id must be a UUID"));
const snapshotId = v.pipe(v.string(), v.uuid("snapshot_id must be a UUID"));
const fence = v.nullable(v.string());

/**
 * A call of a driver by a function that does not have the driver. These are the calls of functions that clear backends, end an
 * extension or ask for a connection, and also call other services. Each may be repeated, and its effect may come late: see `Driver`.
 */
export const DriverCallSchema = v.variant("call", [
  v.object({ call: v.literal("initialized"), host }),
  v.object({ call: v.literal("closeAttempt"), host, volume_id: volumeId, fence }),
  v.object({ call: v.literal("deleteVolume"), host, volume_id: volumeId, fence }),
  v.object({ call: v.literal("findVolume"), host, volume_id: volumeId, fence }),
  v.object({ call: v.literal("closeSnapshot"), host, snapshot_id: snapshotId }),
  v.object({ call: v.literal("deleteSnapshot"), host, snapshot_id: snapshotId }),
  v.object({ call: v.literal("findSnapshot"), host, snapshot_id: snapshotId }),
  v.object({
    call: v.literal("extendVolume"),
    host,
    volume: v.looseObject({ id: volumeId, host: v.nullable(v.string()), size: v.number() }),
    new_size: v.pipe(v.number(), v.integer(), v.minValue(1)),
  }),
  v.object({
    call: v.literal("initializeConnection"),
    host,
    volume: v.looseObject({ id: volumeId, host: v.nullable(v.string()) }),
    connector: v.record(v.string(), v.unknown()),
  }),
]);

/** A request to the function CallDriver. */
export type DriverCall = v.InferOutput<typeof DriverCallSchema>;
