// @ts-nocheck
import * as v from "valibot";
import { parseOrThrow } from "../core/messages.ts";
import { deleteVolume } from "../core/tasks/delete-volume.ts";
import { backends, bounds, clock, drivers, snapshots, volumes } from "./runtime/composition.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

const RequestSchema = v.object({ volume_id: v.pipe(v.string(), v.uuid("volume_id must be a UUID")) });

/** Called synchronously by clients. */
export const handler = serviceHandler((event) => {
  const { volume_id: volumeId } = parseOrThrow(RequestSchema, event, "request");
  const deps = {
    volumes: volumes(),
    snapshots: snapshots(),
    backends: backends(),
    drivers: drivers(),
    clock,
    ...bounds(),
  };
  return deleteVolume(deps, volumeId);
});
