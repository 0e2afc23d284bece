import { parseOrThrow } from "../core/requests/parsing.ts";
import { createSnapshot, CreateSnapshotInputSchema } from "../core/snapshots/create-snapshot.ts";
import { bounds, clock, drivers, locks, projects, snapshots, volumes } from "./runtime/composition.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

/** Called synchronously by clients. */
export const handler = serviceHandler((event) => {
  const input = parseOrThrow(CreateSnapshotInputSchema, event, "request");
  const deps = {
    volumes: volumes(),
    snapshots: snapshots(),
    locks: locks(),
    projects: projects(),
    drivers: drivers(),
    clock,
    ...bounds(),
  };
  return createSnapshot(deps, input);
});
