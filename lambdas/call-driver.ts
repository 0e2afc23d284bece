import { DriverCallSchema } from "../core/driver-call.ts";
import { parseOrThrow } from "../core/parsing.ts";
import { callDriver } from "../core/tasks/call-driver.ts";
import { drivers } from "./runtime/composition.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

/** Called synchronously by the functions that clear backends and also send messages: see {@link callDriver}. */
export const handler = serviceHandler((event) =>
  callDriver({ drivers: drivers() }, parseOrThrow(DriverCallSchema, event, "driver call")),
);
