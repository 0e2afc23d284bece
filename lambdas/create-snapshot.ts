import { parseOrThrow } from "../core/requests/parsing.ts";
import {
  type CreateSnapshotDependencies,
  createSnapshot,
  CreateSnapshotInputSchema,
} from "../core/snapshots/create-snapshot.ts";
import { bounds, clock, drivers, locks, projects, snapshots, volumes } from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

export const ports = {
  locks: locks("put", "remove", "withdraw"),
  projects: projects("enter", "leave"),
  snapshots: snapshots("create", "delete", "get", "markAvailable", "markError", "markErrorDeleting"),
  volumes: volumes("countLock", "get"),
} satisfies PortsOf<CreateSnapshotDependencies>;

/** Called synchronously by clients. */
export const handler = serviceHandler((event) => {
  const input = parseOrThrow(CreateSnapshotInputSchema, event, "request");
  const deps = {
    ...made(ports),
    drivers: drivers(),
    clock,
    ...bounds(),
  };
  return createSnapshot(deps, input);
});
