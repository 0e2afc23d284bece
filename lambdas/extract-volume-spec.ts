import { extractVolumeSpec } from "../core/workflow/extract-volume-spec.ts";
import { ownerOf } from "../core/workflow/input.ts";
import { keepLockOfOurs } from "../core/attempt/source-locks.ts";
import { images, locks, snapshots, volumes } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state ExtractVolumeSpec. */
export const handler = taskHandler(["volume_ref", "snapshot_id", "source_volid", "image_id"], async (input) => {
  const deps = { volumes: volumes(), snapshots: snapshots(), locks: locks(), images: images() };
  try {
    return await extractVolumeSpec(deps, input);
  } finally {
    // Also of a source that is locked, and then refused for its size: a late run of that would leave its lock.
    await keepLockOfOurs(deps, ownerOf(input), input);
  }
});
