import { DriverCallSchema } from "../core/drivers/driver-call.ts";
import { parseOrThrow } from "../core/requests/parsing.ts";
import { callDriver } from "../core/drivers/call-driver.ts";
import { drivers } from "./runtime/composition.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

/** Called synchronously by the functions that clear backends and also send messages: see {@link callDriver}. */
export const handler = serviceHandler((event) =>
  callDriver({ drivers: drivers() }, parseOrThrow(DriverCallSchema, event, "driver call")),
);
