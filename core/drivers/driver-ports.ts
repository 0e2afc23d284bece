import type { RequestContext } from "../requests/messages.ts";
import type { ConnectionInfo, CopyProgress, ModelUpdate, SnapshotRecord, VolumeRecord } from "../records.ts";
import type { ImageLocation, WorkCheckpoint, WorkStatus } from "../spec.ts";

/** Backends and images, as the tasks see them: the driver of a backend, and the service that holds an image. */

/** One turn of long work: how long it may take, and where its last turn stopped. */
export type Work = {
  checkpoint: WorkCheckpoint | null;
  /** Milliseconds until the caller must have an answer. */
  remainingTimeMs(): number;
};

/** Answer of the driver's create calls. */
export type CreateOutcome = WorkStatus & { model_update: ModelUpdate | null };

/** One turn of an image copy, which also keeps its progress on the record. */
export type CopyWork = {
  progress: CopyProgress | null;
  remainingTimeMs(): number;
  /** Keeps the progress; the caller has made the bytes durable first. @throws FenceLost */
  save(progress: Omit<CopyProgress, "updated_at">): Promise<void>;
};

/** An image with the service that holds it. */
export type ImageSource = { service: ImageService; imageId: string; meta: ImageMeta };

/**
 * A volume driver (`cinder/volume/driver.py`). Creates are idempotent by attempt: a repeated call finds the result of the first. Errors:
 * VolumeBackendAPIException and VolumeDriverException say "not created"; anything else is uncertain. A source that is shorter on its
 * backend than its record says must not be cloned, snapshotted or extended: SourceDamaged.
 *
 * The record that a create, clone or copy gets carries its attempt in `fence`. Attempts of a volume are ordered by their number. A
 * driver with {@link Driver.fencesAttempts} keeps them apart: see docs/adr/0021.
 */
export interface Driver {
  /**
   * Whether the backend itself enforces {@link Driver.closeAttempt}. A driver that says false is never asked to close: a late
   * request may then leave something on its backend, and docs/guarantees.md says what finds it.
   */
  readonly fencesAttempts: boolean;
  /**
   * Closes an attempt and every earlier one of the volume on this backend. After it returns, no call of theirs creates, completes
   * or modifies a volume there, however late the call or its effect comes: the call throws AttemptClosed. Later attempts are not
   * affected.
   *
   * Repeated: changes nothing.
   * Late: closes attempts that are closed. It removes unfinished work, and no finished volume.
   *
   * @param fence null means the first attempt
   */
  closeAttempt(volumeId: string, fence: string | null): Promise<void>;
  /** The same for a snapshot, which has one attempt: nothing creates or completes a snapshot of that id afterwards. */
  closeSnapshot(snapshotId: string): Promise<void>;
  /**
   * Forgets attempts that were closed before that moment, and what a call that came late has begun and not done, if it holds nothing. The
   * caller is certain that no function of theirs runs any more. It costs as much as there are such attempts.
   */
  forgetClosedAttempts(closedBefore: Date): Promise<void>;
  initialized(): Promise<boolean>;
  createVolume(volume: VolumeRecord, work: Work): Promise<CreateOutcome>;
  createVolumeFromSnapshot(volume: VolumeRecord, snapshot: SnapshotRecord, work: Work): Promise<CreateOutcome>;
  createClonedVolume(volume: VolumeRecord, source: VolumeRecord, work: Work): Promise<CreateOutcome>;
  /** Makes the volume from where the image is, without a download; `cloned` false says that this cannot be done. */
  cloneImage(
    volume: VolumeRecord,
    location: ImageLocation,
    image: ImageSource,
    work: Work,
  ): Promise<CreateOutcome & { cloned: boolean }>;
  /**
   * Fills a created volume with the image, whatever an earlier call of the attempt has left there.
   *
   * @throws ImageCopyFailure, ImageUnacceptable, ImageTooBig
   */
  copyImageToVolume(volume: VolumeRecord, image: ImageSource, work: CopyWork): Promise<{ done: boolean }>;
  /**
   * Removes all data of this attempt and earlier ones for the volume, finished or not; succeeds when there is none. A driver that fences
   * attempts ignores the data of later attempts, so a late deletion is harmless.
   *
   * @param fence null means the first attempt
   */
  deleteVolume(volumeId: string, fence: string | null): Promise<void>;
  /**
   * Makes a volume larger, to `newSize` GiB (`extend_volume`); the new part reads as zeros. Its bytes stay as they are. It never makes
   * a volume smaller.
   *
   * Repeated: finds the volume as large as it should be, and succeeds.
   */
  extendVolume(volume: VolumeRecord, newSize: number): Promise<void>;
  /**
   * How a host reaches a volume (`initialize_connection`). It changes nothing on the backend. A driver without it has volumes that no host
   * can attach.
   *
   * Repeated: the same answer.
   * Throws: InvalidInput when the backend is not configured for hosts.
   *
   * @param connector the host's description of itself, in os-brick's form
   */
  initializeConnection?(volume: VolumeRecord, connector: Readonly<Record<string, unknown>>): Promise<ConnectionInfo>;
  createSnapshot(snapshot: SnapshotRecord, volume: VolumeRecord): Promise<ModelUpdate | null>;
  deleteSnapshot(snapshotId: string): Promise<void>;
  /** Whether the backend holds anything, finished or not, that this attempt or an earlier one made of the volume. */
  findVolume(volumeId: string, fence: string | null): Promise<"present" | "absent">;
  /** The same of a snapshot. */
  findSnapshot(snapshotId: string): Promise<"present" | "absent">;
  /**
   * Everything of volumes and snapshots that the backend holds, half-made ones included, in no order and with bounded memory. It includes
   * everything that exists from before the first item is requested until the last was returned; entries that appear or disappear in between
   * may be included.
   */
  listContents(): AsyncIterable<StoredContent>;
  /** One report for each pool, without the additions of the backend's configuration. */
  getVolumeStats(): Promise<DriverStats>;
}

/** One thing that a backend holds: a volume or snapshot, or work on one that is not finished (`partial`). */
export type StoredContent = {
  kind: "volume" | "snapshot";
  id: string;
  /** The attempt that made it; 1 for a snapshot and on a backend that does not keep attempts apart. */
  attempt: number;
  partial: boolean;
  /** Provisioned size of a complete volume or snapshot: the audit reports a difference to its record as damaged. */
  size_bytes: number;
  /** When it was last written to, by the backend's clock; of partial work the latest write to any part of it. */
  modified_at: Date;
};

/** A driver's report of its capacity (`get_volume_stats`). */
export type DriverStats = {
  total_capacity_gb: number | string;
  free_capacity_gb: number | string;
  thin_provisioning_support: boolean;
  thick_provisioning_support: boolean;
  capabilities: Record<string, unknown>;
};

/** Finds the driver that serves a host. */
export interface Drivers {
  /** @throws DriverNotInitialized when no backend of that host is configured. */
  forHost(host: string): Driver;
  /** The configured backends. */
  readonly hosts: readonly string[];
}

/** An image's metadata in Cinder's shape: base attributes at the top, everything else under `properties`. */
export type ImageMeta = {
  id: string;
  name: string | null;
  status: string;
  disk_format: string | null;
  container_format: string | null;
  size: number | null;
  virtual_size?: number | null;
  min_disk: number;
  min_ram: number;
  checksum: string | null;
  os_hash_algo: string | null;
  os_hash_value: string | null;
  owner: string | null;
  visibility: string;
  properties: Record<string, unknown>;
};

/** Which bytes to read, of which content; `to` is the byte behind the last one, by default the end. */
export type RangeOptions = {
  to?: number | undefined;
  tag?: string | undefined;
  signal?: AbortSignal | undefined;
};

/**
 * A ranged read: the bytes, the tag of the content they belong to, and the size of the whole image. `ranged` is false when the service
 * sends whole images only: then the bytes are those of the whole image, whatever range was requested.
 */
export type ImageRange = { body: AsyncIterable<Uint8Array>; tag: string; totalSize: number; ranged: boolean };

/** An image service: Glance v2, or a bucket. */
export interface ImageService {
  /** @throws ImageNotFound, ImageNotAuthorized */
  show(context: RequestContext, imageId: string): Promise<ImageMeta>;
  getLocation(context: RequestContext, imageId: string): Promise<ImageLocation>;
  /**
   * The bytes from `from` on. With a `tag`, only while the content still has it.
   * @throws ImageNotFound, ImageNotAuthorized; ImageCopyFailure when the content has changed.
   */
  openRange(imageId: string, from: number, options?: RangeOptions): Promise<ImageRange>;
}

/** Finds the service that an image reference names. */
export interface ImageServices {
  /** `get_remote_image_service`. @throws InvalidImageRef */
  forHref(context: RequestContext, imageHref: string): { service: ImageService; imageId: string };
}

/** Asks the drivers how hosts reach volumes. */
export interface Connections {
  /**
   * Asks the driver of the backend, as {@link Driver.initializeConnection}. Changes nothing.
   *
   * Throws: InvalidInput where the driver has no connections; DriverNotInitialized for a backend that is not configured; the driver's own errors.
   */
  initializeConnection(
    host: string,
    volume: VolumeRecord,
    connector: Readonly<Record<string, unknown>>,
  ): Promise<ConnectionInfo>;
}
