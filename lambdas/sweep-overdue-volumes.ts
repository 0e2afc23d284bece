import { sweepOverdueVolumes } from "../core/tasks/sweep-overdue-volumes.ts";
import { backends, clock, notifier, volumes } from "./runtime/composition.ts";
import { logger } from "./runtime/logger.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

/** Runs on a schedule. */
export const handler = serviceHandler(async () => {
  const deps = { volumes: volumes(), backends: backends(), notifier: notifier(), clock };
  const result = await sweepOverdueVolumes(deps);
  logger.info("swept", result);
  return result;
});
