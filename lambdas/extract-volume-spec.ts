import { type SpecDependencies, extractVolumeSpec } from "../core/workflow/extract-volume-spec.ts";
import { ownerOf } from "../core/workflow/input.ts";
import { keepLockOfOurs } from "../core/attempt/source-locks.ts";
import { images, locks, snapshots, volumes } from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { taskHandler } from "./runtime/task-handler.ts";

export const ports = {
  locks: locks("put", "remove", "withdraw"),
  snapshots: snapshots("countLock", "get"),
  volumes: volumes("countLock", "get"),
} satisfies PortsOf<SpecDependencies & Parameters<typeof keepLockOfOurs>[0]>;

/** The state ExtractVolumeSpec. */
export const handler = taskHandler(["volume_ref", "snapshot_id", "source_volid", "image_id"], async (input) => {
  const deps = { ...made(ports), images: images() };
  try {
    return await extractVolumeSpec(deps, input);
  } finally {
    // Also of a source that is locked, and then refused for its size: a late run of that would leave its lock.
    await keepLockOfOurs(deps, ownerOf(input), input);
  }
});
