import type { ModelUpdate, VolumeStatus } from "./records.ts";
import type { ImageMeta } from "./drivers/driver-ports.ts";

/** How the volume comes to be; the keys of Cinder's jump table in CreateVolumeFromSpecTask. */
export type CreateType = "raw" | "snap" | "source_vol" | "image";

/**
 * The volume to create: the output of ExtractVolumeSpec (`volume_spec` in Cinder). `type` decides the state that follows.
 */
export type VolumeSpec = {
  type: CreateType;
  status: VolumeStatus;
  volume_id: string;
  volume_name: string;
  /** GiB. */
  volume_size: number;
  snapshot_id?: string;
  source_volid?: string;
  /** Status of the source when the spec was made. Nothing here changes it, so nothing has to restore it. */
  source_volstatus?: string;
  image_id?: string;
  /** The reference by which the image was asked for: it names the image service. */
  image_href?: string;
  image_location?: ImageLocation;
  image_meta?: ImageMeta;
};

/** Locations of an image's bytes, from its service: `[direct_url, locations]` in Cinder. */
export type ImageLocation = {
  direct_url: string | null;
  locations: { url: string; metadata: Record<string, unknown> }[];
};

/** The step that follows when the backend is ready. */
export type NextStep = "copy_image" | "bootable" | "finish";

/**
 * The long-work protocol between a task and the state machine: a task that is not `done` is called again after `wait_seconds`
 * with its `checkpoint`.
 */
export type WorkStatus = {
  done: boolean;
  wait_seconds: number;
  /** Opaque to the workflow; at most a few KiB. */
  checkpoint: WorkCheckpoint | null;
};

/** The driver's data for its next turn. */
export type WorkCheckpoint = Record<string, string | number | boolean | null>;

/**
 * Result of the states that create on the backend (`$.creation`). The driver's `model_update` travels here only when only the last write of
 * the create follows, which then stores it.
 */
export type Creation = WorkStatus & { next: NextStep; model_update: ModelUpdate | null };

/** Result of CloneImage: `cloned` false sends the workflow to CreateVolumeForImage. */
export type ImageCloning = Creation & { cloned: boolean };

/** The data that a Catch adds to the state (`$.failure`). */
export type Failure = { Error: string; Cause: string };
