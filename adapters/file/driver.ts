import { unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { backendHost } from "../../core/backends/backends.ts";
import {
  DriverNotInitialized,
  SnapshotNotFound,
  VolumeBackendAPIException,
  VolumeNotFound,
} from "../../core/errors.ts";
import type {
  CopyWork,
  CreateOutcome,
  Driver,
  DriverStats,
  ImageSource,
  StoredContent,
  Work,
} from "../../core/drivers/driver-ports.ts";
import type { ConnectionInfo, ModelUpdate, SnapshotRecord, VolumeRecord } from "../../core/records.ts";
import type { ImageLocation, WorkStatus } from "../../core/spec.ts";
import { closeAttempt, closedOr, forgetAttempts, hasWork, takeWorkAway } from "./attempt.ts";
import { BackendDirectory } from "./backend-directory.ts";
import { cloneImageFile } from "./clone-image.ts";
import { nfsConnection } from "./connection.ts";
import { copyFileInTurns, type CopySource, RESERVED_MS } from "./copy-file.ts";
import { copyImage } from "./copy-image.ts";
import { makeEmptyVolume } from "./empty-volume.ts";
import { extendFile } from "./extend-file.ts";
import { asBackendError, bytesOfGib, exists, isAbsent, syncDirectoryOf } from "./files.ts";
import { type FileDriverOptions, imagePolicyOf } from "./options.ts";
import { parseEntry, type Place, snapshotPlace, volumePlace, volumePlacesUpTo } from "./paths.ts";

/** Reported as `driver_version`. */
const DRIVER_VERSION = "1.0.0";

/** A copy that is not cut into turns. */
const UNINTERRUPTED: Work = { checkpoint: null, remainingTimeMs: () => Number.POSITIVE_INFINITY };

/**
 * Volumes as sparse files in a directory: a local disk, or NFS or EFS mounted there. After Cinder's NFS driver
 * (`cinder/volume/drivers/nfs.py`), with raw files only. See `paths.ts` for the directory, `attempt.ts` for how attempts are kept
 * apart, `work-area.ts` for what happens when two calls of one attempt meet.
 *
 * A system error in a create call becomes VolumeBackendAPIException: no finished volume is there then.
 */
export class FileDriver implements Driver {
  readonly fencesAttempts = true;
  readonly #host: string;
  readonly #options: FileDriverOptions;
  readonly #directory: BackendDirectory;

  /** @param host `host@backend`, to distinguish a missing source from one on another backend. */
  constructor(host: string, options: FileDriverOptions) {
    this.#host = host;
    this.#options = options;
    this.#directory = new BackendDirectory(options);
  }

  /** Whether the directory is there, or could be made, and can be written; and, if so configured, is on its mount. */
  initialized(): Promise<boolean> {
    return this.#directory.isReady();
  }

  async createVolume(volume: VolumeRecord, _work: Work): Promise<CreateOutcome> {
    const place = this.#placeOf(volume);
    const sizeBytes = bytesOfGib(volume.size);
    return this.#creating(place, async () => {
      await makeEmptyVolume(place, sizeBytes);
      return { done: true, wait_seconds: 0, checkpoint: null };
    });
  }

  /** @throws SnapshotNotFound when this backend should hold it; VolumeBackendAPIException when another one does; SourceDamaged. */
  async createVolumeFromSnapshot(volume: VolumeRecord, snapshot: SnapshotRecord, work: Work): Promise<CreateOutcome> {
    const place = this.#placeOf(volume);
    const source = {
      path: snapshotPlace(this.#options.directory, snapshot.id).path,
      what: `snapshot ${snapshot.id}`,
      recordedBytes: bytesOfGib(snapshot.volume_size),
    };
    return this.#creating(place, () =>
      this.#copying(source, place, volume.size, work, () =>
        this.#isHere(snapshot.host)
          ? new SnapshotNotFound(snapshot.id)
          : elsewhere(`snapshot ${snapshot.id}`, snapshot.host, this.#host),
      ),
    );
  }

  /** @throws VolumeNotFound when this backend should hold the source; VolumeBackendAPIException when another one does; SourceDamaged. */
  async createClonedVolume(volume: VolumeRecord, source: VolumeRecord, work: Work): Promise<CreateOutcome> {
    const place = this.#placeOf(volume);
    const from = this.#sourceOf(source);
    return this.#creating(place, () =>
      this.#copying(from, place, volume.size, work, () =>
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
    _work: Work,
  ): Promise<CreateOutcome & { cloned: boolean }> {
    const place = this.#placeOf(volume);
    const sizeBytes = bytesOfGib(volume.size);
    let cloned = false;
    const outcome = await this.#creating(place, async () => {
      cloned = await cloneImageFile(this.#options, place, sizeBytes, location, image);
      return { done: true, wait_seconds: 0, checkpoint: null };
    });
    return { ...outcome, model_update: cloned ? outcome.model_update : null, cloned };
  }

  async copyImageToVolume(volume: VolumeRecord, image: ImageSource, work: CopyWork): Promise<{ done: boolean }> {
    const policy = imagePolicyOf(this.#options);
    return copyImage({
      place: this.#placeOf(volume),
      volumeBytes: bytesOfGib(volume.size),
      image,
      work: this.#inTime(work),
      policy,
    });
  }

  /** @throws DriverNotInitialized; VolumeBackendAPIException when the file is not there, or cannot grow */
  async extendVolume(volume: VolumeRecord, newSize: number): Promise<void> {
    if (!(await this.initialized())) {
      throw new DriverNotInitialized(this.#host);
    }
    await extendFile(this.#sourceOf(volume), bytesOfGib(newSize));
  }

  async initializeConnection(volume: VolumeRecord): Promise<ConnectionInfo> {
    return nfsConnection(this.#host, this.#options, volume, this.#sourceOf(volume).path);
  }

  async closeAttempt(volumeId: string, fence: string | null = null): Promise<void> {
    await this.#close(volumePlacesUpTo(this.#options.directory, volumeId, fence));
  }

  async closeSnapshot(snapshotId: string): Promise<void> {
    await this.#close([snapshotPlace(this.#options.directory, snapshotId)]);
  }

  async forgetClosedAttempts(closedBefore: Date): Promise<void> {
    await this.#directory.requireMount();
    await forgetAttempts(this.#options.directory, closedBefore).catch(ignoreAbsent);
  }

  async deleteVolume(volumeId: string, fence: string | null = null): Promise<void> {
    await this.#remove(volumePlacesUpTo(this.#options.directory, volumeId, fence));
  }

  async deleteSnapshot(snapshotId: string): Promise<void> {
    await this.#remove([snapshotPlace(this.#options.directory, snapshotId)]);
  }

  /** Takes as long as the copy does: the caller allows for it. @throws VolumeNotFound, VolumeBackendAPIException, SourceDamaged */
  async createSnapshot(snapshot: SnapshotRecord, volume: VolumeRecord): Promise<ModelUpdate | null> {
    const place = snapshotPlace(this.#options.directory, snapshot.id);
    const source = this.#sourceOf(volume);
    const outcome = await this.#creating(place, () =>
      this.#copying(source, place, volume.size, UNINTERRUPTED, () =>
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

  async findVolume(volumeId: string, fence: string | null = null): Promise<"present" | "absent"> {
    return this.#find(volumePlacesUpTo(this.#options.directory, volumeId, fence));
  }

  async findSnapshot(snapshotId: string): Promise<"present" | "absent"> {
    return this.#find([snapshotPlace(this.#options.directory, snapshotId)]);
  }

  /** With `capacity_gb`, the size of the driver's own files is subtracted from it, as far as the file system has that much. */
  async getVolumeStats(): Promise<DriverStats> {
    if (!(await this.initialized())) {
      throw new DriverNotInitialized(this.#host);
    }
    const { totalBytes, freeBytes } = await this.#directory.capacity();
    return {
      total_capacity_gb: roundedGib(totalBytes),
      free_capacity_gb: roundedGib(freeBytes),
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

  async *listContents(): AsyncGenerator<StoredContent> {
    for await (const { kind, id, attempt, path, partial, sizeBytes, modifiedAt } of this.#directory.entries()) {
      const modified_at = partial ? await this.#directory.lastWriteBelow(path, modifiedAt) : modifiedAt;
      yield { kind, id, attempt, partial, size_bytes: sizeBytes, modified_at };
    }
  }

  async #find(places: readonly Place[]): Promise<"present" | "absent"> {
    await this.#directory.requireMount();
    for (const place of places) {
      if ((await exists(place.path)) || (await hasWork(place))) {
        return "present";
      }
    }
    return "absent";
  }

  async #close(places: readonly Place[]): Promise<void> {
    await this.#directory.requireMount();
    for (const place of places) {
      await closeAttempt(place);
    }
  }

  /** Shared by the create calls: readiness, the errors' names, the answer. */
  async #creating(place: Place, make: () => Promise<WorkStatus>): Promise<CreateOutcome> {
    if (!(await this.initialized())) {
      throw new DriverNotInitialized(this.#host);
    }
    try {
      const status = await make();
      return { ...status, model_update: status.done ? { provider_location: place.path } : null };
    } catch (error) {
      throw await closedOr(place, asBackendError(error, `creating ${place.id}`));
    }
  }

  async #copying(
    source: CopySource,
    place: Place,
    sizeGib: number,
    work: Work,
    missing: () => Error,
  ): Promise<WorkStatus> {
    try {
      return await copyFileInTurns(source, place, bytesOfGib(sizeGib), this.#inTime(work));
    } catch (error) {
      throw isAbsent(error) && !(await exists(source.path)) ? missing() : error;
    }
  }

  /** Copies end their turn at {@link RESERVED_MS}; a backend may ask for less. */
  #inTime<Kind extends Pick<Work, "remainingTimeMs">>(work: Kind): Kind {
    const { turn_reserve_seconds: reserve } = this.#options;
    if (reserve === undefined) {
      return work;
    }
    return { ...work, remainingTimeMs: () => work.remainingTimeMs() + RESERVED_MS - reserve * 1000 };
  }

  /** The unfinished work goes first: a call that still writes sees that and stops. */
  async #remove(places: readonly Place[]): Promise<void> {
    await this.#directory.requireMount();
    for (const place of places) {
      try {
        if (await hasWork(place)) {
          await takeWorkAway(place);
        }
        await unlink(place.path).catch(ignoreAbsent);
        syncDirectoryOf(place.path);
      } catch (error) {
        if (!isAbsent(error)) {
          throw asBackendError(error, `deleting ${place.path}`);
        }
      }
    }
  }

  #placeOf({ id, fence }: Pick<VolumeRecord, "id" | "fence">): Place {
    return volumePlace(this.#options.directory, id, fence);
  }

  /** A finished volume. One that an earlier version made has the first attempt's name, whichever made it. */
  #sourceOf(volume: VolumeRecord): CopySource {
    const name = basename(volume.provider_location ?? "");
    const isOwn = parseEntry(name)?.id === volume.id;
    const path = isOwn ? join(this.#options.directory, name) : this.#placeOf(volume).path;
    return { path, what: `volume ${volume.id}`, recordedBytes: bytesOfGib(volume.size) };
  }

  #isHere(host: string | null): boolean {
    return host !== null && backendHost(host) === this.#host;
  }
}

function ignoreAbsent(error: unknown): void {
  if (!isAbsent(error)) {
    throw error;
  }
}

function elsewhere(what: string, host: string | null, here: string): VolumeBackendAPIException {
  return new VolumeBackendAPIException(`${what} is on ${host ?? "no host"}, which ${here} cannot reach`);
}

/** Two decimals, as Cinder's drivers report. */
function roundedGib(bytes: number): number {
  return Math.round((bytes / 2 ** 30) * 100) / 100;
}
