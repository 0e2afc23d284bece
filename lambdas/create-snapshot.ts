import { parseOrThrow } from "../core/requests/parsing.ts";
import { createSnapshot, CreateSnapshotInputSchema } from "../core/snapshots/create-snapshot.ts";
import { bounds, clock, drivers, snapshots, volumes } from "./runtime/composition.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

/** Called synchronously by clients. */
export const handler = serviceHandler((event) => {
  const input = parseOrThrow(CreateSnapshotInputSchema, event, "request");
  return createSnapshot({ volumes: volumes(), snapshots: snapshots(), drivers: drivers(), clock, ...bounds() }, input);
});
