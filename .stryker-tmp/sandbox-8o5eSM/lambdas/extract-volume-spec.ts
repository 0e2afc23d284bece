// @ts-nocheck
import { extractVolumeSpec } from "../core/tasks/extract-volume-spec.ts";
import { images, snapshots, volumes } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state ExtractVolumeSpec. */
export const handler = taskHandler(["volume_ref", "snapshot_id", "source_volid", "image_id"], (input) =>
  extractVolumeSpec({ volumes: volumes(), snapshots: snapshots(), images: images() }, input),
);
