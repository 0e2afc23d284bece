import * as v from "valibot";
import { Uuid } from "../core/requests/identifiers.ts";
import { parseOrThrow } from "../core/requests/parsing.ts";
import { deleteSnapshot } from "../core/snapshots/delete-snapshot.ts";
import { bounds, clock, drivers, locks, projects, snapshots, volumes } from "./runtime/composition.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

const RequestSchema = v.object({ snapshot_id: Uuid });

/** Called synchronously by clients. */
export const handler = serviceHandler((event) => {
  const { snapshot_id: snapshotId } = parseOrThrow(RequestSchema, event, "request");
  const deps = {
    volumes: volumes(),
    snapshots: snapshots(),
    locks: locks(),
    projects: projects(),
    drivers: drivers(),
    clock,
    ...bounds(),
  };
  return deleteSnapshot(deps, snapshotId);
});
