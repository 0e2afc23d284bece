import {
  type BootableDependencies,
  handleBootableVolume,
  unstorableProperties,
} from "../core/workflow/handle-bootable-volume.ts";
import { snapshots, volumes } from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { logger } from "./runtime/logger.ts";
import { taskHandler } from "./runtime/task-handler.ts";

export const ports = {
  snapshots: snapshots("get"),
  volumes: volumes("get", "markBootable"),
} satisfies PortsOf<BootableDependencies>;

/** The state HandleBootableVolume. */
export const handler = taskHandler(["volume_spec"], (input) => {
  const dropped = unstorableProperties(input.volume_spec.image_meta);
  if (dropped.length > 0) {
    logger.warn("image properties dropped that cannot be stored", { volume_id: input.volume_id, properties: dropped });
  }
  return handleBootableVolume({ ...made(ports) }, input);
});
