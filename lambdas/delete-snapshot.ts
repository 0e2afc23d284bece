import * as v from "valibot";
import { Uuid } from "../core/identifiers.ts";
import { parseOrThrow } from "../core/messages.ts";
import { deleteSnapshot } from "../core/tasks/delete-snapshot.ts";
import { clock, drivers, snapshots, volumes } from "./runtime/composition.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

const RequestSchema = v.object({ snapshot_id: Uuid });

/** Called synchronously by clients. */
export const handler = serviceHandler((event) => {
  const { snapshot_id: snapshotId } = parseOrThrow(RequestSchema, event, "request");
  return deleteSnapshot({ volumes: volumes(), snapshots: snapshots(), drivers: drivers(), clock }, snapshotId);
});
