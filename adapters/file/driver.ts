import { access, constants, lstat, mkdir, opendir, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { backendHost } from "../../core/backends.ts";
import {
  DriverNotInitialized,
  SnapshotNotFound,
  VolumeBackendAPIException,
  VolumeNotFound,
} from "../../core/errors.ts";
import type { CopyWork, CreateOutcome, Driver, DriverStats, ImageSource, Work } from "../../core/ports.ts";
import type { ModelUpdate, SnapshotRecord, VolumeRecord } from "../../core/records.ts";
import type { ImageLocation, WorkStatus } from "../../core/spec.ts";
import { cloneImageFile } from "./clone-image.ts";
import { copyFileInTurns } from "./copy-file.ts";
import { copyImage } from "./copy-image.ts";
import {
  asBackendError,
  bytesOfGib,
  createExclusive,
  errnoOf,
  isAbsent,
  openRegular,
  sizeOfRegular,
  syncDirectoryOf,
} from "./files.ts";
import type { FileDriverOptions } from "./options.ts";
import { parseEntry, snapshotPath, volumePath } from "./paths.ts";
import { hasWorkArea, removeWorkArea } from "./work-area.ts";

/** Reported as `driver_version`. */
const DRIVER_VERSION = "1.0.0";

const GIB = 2 ** 30;

/** A copy that is not cut into turns. */
const UNINTERRUPTED: Work = { checkpoint: null, remainingTimeMs: () => Number.POSITIVE_INFINITY };

/** A file of the backend's directory, for an audit against the records. */
export type StoredVolume = {
  id: string;
  size_bytes: number;
  /** True for work that is not finished. */
  partial: boolean;
  modified_at: Date;
};

/**
 * Volumes as sparse files in a directory: a local disk, or NFS or EFS mounted there. After Cinder's NFS driver
 * (`cinder/volume/drivers/nfs.py`), with raw files only. See `paths.ts` for the directory, `work-area.ts` for what happens when
 * two calls meet.
 *
 * A system error in a create call becomes VolumeBackendAPIException: no finished volume is there then.
 */
export class FileDriver implements Driver {
  readonly #host: string;
  readonly #options: FileDriverOptions;

  /** @param host `host@backend`, to tell a source that is missing from one that another backend holds. */
  constructor(host: string, options: FileDriverOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** Whether the directory is there, or could be made, and can be written; and, if so configured, is on its mount. */
  async initialized(): Promise<boolean> {
    try {
      if (!(await this.#isMounted())) {
        return false;
      }
      const { directory } = this.#options;
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
      return (await stat(directory)).isDirectory();
    } catch (error) {
      if (errnoOf(error) === undefined) {
        throw error;
      }
      return false;
    }
  }

  async createVolume(volume: VolumeRecord, _work: Work): Promise<CreateOutcome> {
    const path = this.#volumePath(volume.id);
    const sizeBytes = bytesOfGib(volume.size);
    return this.#creating(volume.id, path, async () => {
      await makeEmptyVolume(path, sizeBytes);
      return { done: true, wait_seconds: 0, checkpoint: null };
    });
  }

  /** @throws SnapshotNotFound when this backend should hold it; VolumeBackendAPIException when another one does. */
  async createVolumeFromSnapshot(volume: VolumeRecord, snapshot: SnapshotRecord, work: Work): Promise<CreateOutcome> {
    const path = this.#volumePath(volume.id);
    const source = snapshotPath(this.#options.directory, snapshot.id);
    return this.#creating(volume.id, path, () =>
      this.#copying(source, path, volume.size, work, () =>
        this.#isHere(snapshot.host)
          ? new SnapshotNotFound(snapshot.id)
          : elsewhere(`snapshot ${snapshot.id}`, snapshot.host, this.#host),
      ),
    );
  }

  /** @throws VolumeNotFound when this backend should hold the source; VolumeBackendAPIException when another one does. */
  async createClonedVolume(volume: VolumeRecord, source: VolumeRecord, work: Work): Promise<CreateOutcome> {
    const path = this.#volumePath(volume.id);
    const sourcePath = this.#volumePath(source.id);
    return this.#creating(volume.id, path, () =>
      this.#copying(sourcePath, path, volume.size, work, () =>
        this.#isHere(source.host)
          ? new VolumeNotFound(source.id)
          : elsewhere(`volume ${source.id}`, source.host, this.#host),
      ),
    );
  }

  async cloneImage(
    volume: VolumeRecord,
    location: ImageLocation,
    image: ImageSource,
    work: Work,
  ): Promise<CreateOutcome & { cloned: boolean }> {
    const path = this.#volumePath(volume.id);
    const sizeBytes = bytesOfGib(volume.size);
    let cloned = false;
    const outcome = await this.#creating(volume.id, path, async () => {
      cloned = await cloneImageFile(this.#options, path, sizeBytes, location, image);
      return { done: true, wait_seconds: 0, checkpoint: null };
    });
    void work;
    return { ...outcome, model_update: cloned ? outcome.model_update : null, cloned };
  }

  async copyImageToVolume(volume: VolumeRecord, image: ImageSource, work: CopyWork): Promise<{ done: boolean }> {
    return copyImage(this.#volumePath(volume.id), bytesOfGib(volume.size), image, work);
  }

  async deleteVolume(volumeId: string): Promise<void> {
    await this.#remove(this.#volumePath(volumeId));
  }

  async deleteSnapshot(snapshotId: string): Promise<void> {
    await this.#remove(snapshotPath(this.#options.directory, snapshotId));
  }

  /** Takes as long as the copy does: the caller allows for it. @throws VolumeNotFound, VolumeBackendAPIException */
  async createSnapshot(snapshot: SnapshotRecord, volume: VolumeRecord): Promise<ModelUpdate | null> {
    const path = snapshotPath(this.#options.directory, snapshot.id);
    const source = this.#volumePath(volume.id);
    const outcome = await this.#creating(snapshot.id, path, () =>
      this.#copying(source, path, volume.size, UNINTERRUPTED, () =>
        this.#isHere(volume.host)
          ? new VolumeNotFound(volume.id)
          : elsewhere(`volume ${volume.id}`, volume.host, this.#host),
      ),
    );
    if (!outcome.done) {
      throw new Error(`another call is making snapshot ${snapshot.id}`);
    }
    return outcome.model_update;
  }

  async findVolume(volumeId: string): Promise<"present" | "absent"> {
    const path = this.#volumePath(volumeId);
    await this.#requireMount();
    return (await exists(path)) || (await hasWorkArea(path)) ? "present" : "absent";
  }

  /** With `capacity_gb`, what the driver's own files take is subtracted from it, as far as the file system has that much. */
  async getVolumeStats(): Promise<DriverStats> {
    if (!(await this.initialized())) {
      throw new DriverNotInitialized(this.#host);
    }
    const { directory, capacity_gb: capacityGib } = this.#options;
    const { blocks, bavail, bsize } = await statfs(directory);
    const freeGib = (bavail * bsize) / GIB;
    const totalGib = capacityGib ?? (blocks * bsize) / GIB;
    const left = capacityGib === undefined ? freeGib : Math.min(freeGib, capacityGib - (await this.#usedBytes()) / GIB);
    return {
      total_capacity_gb: round(totalGib),
      free_capacity_gb: round(Math.max(0, left)),
      thin_provisioning_support: true,
      thick_provisioning_support: false,
      capabilities: {
        vendor_name: "Cinderless",
        driver_version: DRIVER_VERSION,
        storage_protocol: "file",
        sparse_copy_volume: true,
      },
    };
  }

  /** What stands in the directory of volumes, in no order; the audit compares it with the records. */
  async *listVolumes(): AsyncIterable<StoredVolume> {
    for await (const { entry, stats } of this.#entries()) {
      if (entry.kind === "volume") {
        yield {
          id: entry.id,
          size_bytes: stats.size,
          partial: entry.partial,
          modified_at: stats.mtime,
        };
      }
    }
  }

  async #usedBytes(): Promise<number> {
    let used = 0;
    for await (const { stats } of this.#entries()) {
      used += stats.blocks * 512;
    }
    return used;
  }

  async *#entries() {
    await this.#requireMount();
    for await (const { name } of await opendir(this.#options.directory)) {
      const entry = parseEntry(name);
      if (entry === undefined) {
        continue;
      }
      try {
        yield { entry, stats: await lstat(join(this.#options.directory, name)) };
      } catch (error) {
        // Removed while the directory was read.
        if (!isAbsent(error)) {
          throw error;
        }
      }
    }
  }

  /** What the create calls have in common: readiness, the errors' names, the answer. */
  async #creating(id: string, path: string, make: () => Promise<WorkStatus>): Promise<CreateOutcome> {
    if (!(await this.initialized())) {
      throw new DriverNotInitialized(this.#host);
    }
    try {
      const status = await make();
      return { ...status, model_update: status.done ? { provider_location: path } : null };
    } catch (error) {
      throw asBackendError(error, `creating ${id}`);
    }
  }

  async #copying(
    source: string,
    target: string,
    sizeGib: number,
    work: Work,
    missing: () => Error,
  ): Promise<WorkStatus> {
    try {
      return await copyFileInTurns(source, target, bytesOfGib(sizeGib), work);
    } catch (error) {
      throw isAbsent(error) && !(await exists(source)) ? missing() : error;
    }
  }

  /** The work area goes first: an older call that still writes sees that and stops. */
  async #remove(path: string): Promise<void> {
    await this.#requireMount();
    try {
      await removeWorkArea(path);
      await rm(path, { force: true });
      await syncDirectoryOf(path);
    } catch (error) {
      if (!isAbsent(error)) {
        throw asBackendError(error, `deleting ${path}`);
      }
    }
  }

  #volumePath(volumeId: string): string {
    return volumePath(this.#options.directory, volumeId);
  }

  #isHere(host: string | null): boolean {
    return host !== null && backendHost(host) === this.#host;
  }

  async #requireMount(): Promise<void> {
    if (!(await this.#isMounted())) {
      throw new VolumeBackendAPIException(`${this.#options.mount_point} is not mounted on ${this.#host}`);
    }
  }

  /** A mount point is on another device than the directory it is in. */
  async #isMounted(): Promise<boolean> {
    const mountPoint = this.#options.mount_point;
    if (mountPoint === undefined) {
      return true;
    }
    try {
      const [inside, outside] = await Promise.all([stat(mountPoint), stat(dirname(mountPoint))]);
      return inside.dev !== outside.dev;
    } catch (error) {
      if (isAbsent(error)) {
        return false;
      }
      throw error;
    }
  }
}

/**
 * An empty file says that a first call died before it set the size, since no volume is smaller than 1 GiB: the size is set again,
 * to the same.
 */
async function makeEmptyVolume(path: string, sizeBytes: number): Promise<void> {
  const found = await sizeOfRegular(path);
  if (found === sizeBytes) {
    return;
  }
  if (found !== undefined && found !== 0) {
    throw new VolumeBackendAPIException(`${path} has ${found} bytes, not ${sizeBytes}`);
  }
  const file = found === undefined ? await createOrOpen(path) : await openRegular(path, "write");
  try {
    await file.truncate(sizeBytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncDirectoryOf(path);
}

/** Two calls may both have seen nothing. */
async function createOrOpen(path: string) {
  try {
    return await createExclusive(path);
  } catch (error) {
    if (errnoOf(error) === "EEXIST") {
      return openRegular(path, "write");
    }
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) {
      return false;
    }
    throw error;
  }
}

function elsewhere(what: string, host: string | null, here: string): VolumeBackendAPIException {
  return new VolumeBackendAPIException(`${what} is on ${host ?? "no host"}, which ${here} cannot reach`);
}

/** Two decimals, as Cinder's drivers report. */
function round(gib: number): number {
  return Math.round(gib * 100) / 100;
}
