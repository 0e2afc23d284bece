import { type CloneImageDependencies, cloneImage } from "../core/workflow/clone-image.ts";
import { bounds, clock, drivers, images, volumes } from "./runtime/composition.ts";
import { imageCacheUse } from "./runtime/image-cache-use.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { taskHandler } from "./runtime/task-handler.ts";

export const ports = {
  volumes: volumes("beginCreate", "persistModelUpdate"),
} satisfies PortsOf<CloneImageDependencies>;

export { imageCachePorts } from "./runtime/image-cache-use.ts";

/** The state CloneImage. */
export const handler = taskHandler(["volume_spec"], (input, turn) =>
  cloneImage(
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
