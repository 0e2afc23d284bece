import * as v from "valibot";
import { Uuid } from "../core/requests/identifiers.ts";
import { parseOrThrow } from "../core/requests/parsing.ts";
import { type DeleteSnapshotDependencies, deleteSnapshot } from "../core/snapshots/delete-snapshot.ts";
import { bounds, clock, drivers, locks, projects, snapshots, volumes } from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

export const ports = {
  locks: locks("of", "put", "remove"),
  projects: projects("giveBack", "leave"),
  snapshots: snapshots("beginDelete", "delete", "forgetLock", "get", "getMany", "markErrorDeleting"),
  volumes: volumes("forgetLock", "getMany"),
} satisfies PortsOf<DeleteSnapshotDependencies>;

const RequestSchema = v.object({ snapshot_id: Uuid });

/** Called synchronously by clients. */
export const handler = serviceHandler((event) => {
  const { snapshot_id: snapshotId } = parseOrThrow(RequestSchema, event, "request");
  const deps = {
    ...made(ports),
    drivers: drivers(),
    clock,
    ...bounds(),
  };
  return deleteSnapshot(deps, snapshotId);
});
