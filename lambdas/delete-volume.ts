import * as v from "valibot";
import { Uuid } from "../core/requests/identifiers.ts";
import { parseOrThrow } from "../core/requests/parsing.ts";
import { type DeleteVolumeDependencies, deleteVolume } from "../core/volumes/delete-volume.ts";
import type { MembershipDependencies } from "../core/volumes/leave-project.ts";
import {
  backends,
  bounds,
  clock,
  drivers,
  locks,
  membership,
  projects,
  snapshots,
  volumes,
} from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

export const ports = {
  backends: backends("list", "release", "returnCapacity", "settle"),
  locks: locks("of", "put", "remove"),
  projects: projects("claimName", "giveBack", "leave"),
  snapshots: snapshots("beginDelete", "delete", "forgetLock", "get", "getMany", "listOfVolume", "markErrorDeleting"),
  volumes: volumes("beginDelete", "finishDelete", "forgetLock", "get", "getMany", "markErrorDeleting", "requestDelete"),
} satisfies PortsOf<DeleteVolumeDependencies & MembershipDependencies>;

const RequestSchema = v.object({ volume_id: Uuid });

/** Called synchronously by clients. */
export const handler = serviceHandler((event) => {
  const { volume_id: volumeId } = parseOrThrow(RequestSchema, event, "request");
  const deps = {
    ...made(ports),
    membership: membership(ports),
    drivers: drivers(),
    clock,
    ...bounds(),
  };
  return deleteVolume(deps, volumeId);
});
