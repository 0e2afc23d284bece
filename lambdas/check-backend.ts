import { type CheckBackendDependencies, checkBackend } from "../core/workflow/check-backend.ts";
import { bounds, clock, drivers, images, snapshots, volumes } from "./runtime/composition.ts";
import { imageCacheUse } from "./runtime/image-cache-use.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { taskHandler } from "./runtime/task-handler.ts";

export const ports = {
  snapshots: snapshots("get"),
  volumes: volumes("beginCreate", "get", "persistModelUpdate"),
} satisfies PortsOf<CheckBackendDependencies>;

export { imageCachePorts } from "./runtime/image-cache-use.ts";

/** The state CheckBackend. */
export const handler = taskHandler(["volume_spec", "creation"], (input, turn) =>
  checkBackend(
    {
      ...made(ports),
      drivers: drivers(),
      images: images(),
      ...imageCacheUse(),
      clock,
      ...bounds(),
    },
    input,
    turn,
  ),
);
