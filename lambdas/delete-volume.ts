import * as v from "valibot";
import { Uuid } from "../core/requests/identifiers.ts";
import { parseOrThrow } from "../core/requests/parsing.ts";
import { deleteVolume } from "../core/volumes/delete-volume.ts";
import {
  backends,
  bounds,
  clock,
  drivers,
  locks,
  snapshots,
  membership,
  projects,
  volumes,
} from "./runtime/composition.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

const RequestSchema = v.object({ volume_id: Uuid });

/** Called synchronously by clients. */
export const handler = serviceHandler((event) => {
  const { volume_id: volumeId } = parseOrThrow(RequestSchema, event, "request");
  const deps = {
    volumes: volumes(),
    snapshots: snapshots(),
    locks: locks(),
    backends: backends(),
    membership: membership(),
    projects: projects(),
    drivers: drivers(),
    clock,
    ...bounds(),
  };
  return deleteVolume(deps, volumeId);
});
