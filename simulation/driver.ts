import type {
  CopyWork,
  CreateOutcome,
  Driver,
  DriverStats,
  ImageSource,
  StoredContent,
  Work,
} from "../core/drivers/driver-ports.ts";
import { AttemptClosed, VolumeBackendAPIException } from "../core/errors.ts";
import {
  attemptOfFence,
  fenceOf,
  type ConnectionInfo,
  type ModelUpdate,
  type SnapshotRecord,
  type VolumeRecord,
} from "../core/records.ts";
import type { ImageLocation } from "../core/spec.ts";

/** The source of a fake volume. */
export type MadeFrom = { from: "nothing" | "snapshot" | "volume" | "image"; source?: string; bytes?: number };

/**
 * A backend in memory. Creates are idempotent by the volume's id, and may take several turns; an image copy saves its progress
 * after each chunk, one chunk a turn.
 */
export class DriverFake implements Driver {
  /** False makes it a backend that cannot close attempts. */
  fencesAttempts = true;
  /** The attempt that made a volume; what is not named here, the first one. */
  readonly madeBy = new Map<string, number>();
  /** The latest attempt of a volume that was closed. */
  readonly closed = new Map<string, number>();
  readonly closedSnapshots = new Set<string>();
  readonly volumes = new Map<string, MadeFrom>();
  readonly snapshots = new Set<string>();
  /** GiB of the volumes that were created or extended here; of what is put here otherwise, 1. */
  readonly sizes = new Map<string, number>();
  /** Ids of the volumes of which something half-made lies there. */
  readonly partials = new Set<string>();
  /** When a volume or snapshot was last written to, by id; what is not named here, long ago. */
  readonly modifiedAt = new Map<string, Date>();
  /** Bytes of a volume or snapshot that lost or gained some, by id. */
  readonly foundBytes = new Map<string, number>();
  /** How often a volume came into being. */
  made = 0;
  isInitialized = true;
  /** Turns that a create takes before it is done; each checkpoint counts one. */
  turns = 1;
  /** The wait between a create's turns, if it is not the number of the turn. */
  waitSeconds: number | undefined;
  clonesImages = false;
  modelUpdate: ModelUpdate | null = null;
  /** Chunks that an image copy takes, one a turn. */
  chunks = 1;
  stats: DriverStats = {
    total_capacity_gb: 100,
    free_capacity_gb: 100,
    thin_provisioning_support: false,
    thick_provisioning_support: true,
    capabilities: {},
  };

  async initialized(): Promise<boolean> {
    return this.isInitialized;
  }

  async createVolume(volume: VolumeRecord, work: Work): Promise<CreateOutcome> {
    return this.#create(volume, { from: "nothing" }, work);
  }

  async createVolumeFromSnapshot(volume: VolumeRecord, snapshot: SnapshotRecord, work: Work): Promise<CreateOutcome> {
    return this.#create(volume, { from: "snapshot", source: snapshot.id }, work);
  }

  async createClonedVolume(volume: VolumeRecord, source: VolumeRecord, work: Work): Promise<CreateOutcome> {
    return this.#create(volume, { from: "volume", source: source.id }, work);
  }

  async cloneImage(
    volume: VolumeRecord,
    _location: ImageLocation,
    image: ImageSource,
    work: Work,
  ): Promise<CreateOutcome & { cloned: boolean }> {
    if (!this.clonesImages) {
      return { done: true, wait_seconds: 0, checkpoint: null, model_update: null, cloned: false };
    }
    return { ...this.#create(volume, { from: "image", source: image.imageId }, work), cloned: true };
  }

  async copyImageToVolume(volume: VolumeRecord, image: ImageSource, work: CopyWork): Promise<{ done: boolean }> {
    this.#requireOpen(volume);
    const done = Math.min((work.progress?.bytes_done ?? 0) + 1, this.chunks);
    // A call that is late writes what a newer one has written: nothing is taken back.
    const bytes = Math.max(done, this.volumes.get(volume.id)?.bytes ?? 0);
    this.volumes.set(volume.id, { from: "image", source: image.imageId, bytes });
    await work.save({ bytes_done: done, bytes_total: this.chunks, image_tag: "tag" });
    return { done: done >= this.chunks };
  }

  async closeAttempt(volumeId: string, fence: string | null): Promise<void> {
    this.closed.set(volumeId, Math.max(this.closed.get(volumeId) ?? 0, attemptOfFence(fence)));
  }

  async closeSnapshot(snapshotId: string): Promise<void> {
    this.closedSnapshots.add(snapshotId);
  }

  async forgetClosedAttempts(): Promise<void> {
    // Attempts that are closed for long have nothing that could come late.
  }

  async deleteVolume(volumeId: string, fence: string | null): Promise<void> {
    if (this.#isMadeUpTo(volumeId, fence)) {
      this.volumes.delete(volumeId);
      this.sizes.delete(volumeId);
      this.partials.delete(volumeId);
      this.madeBy.delete(volumeId);
    }
  }

  async extendVolume(volume: VolumeRecord, newSize: number): Promise<void> {
    if (!this.volumes.has(volume.id)) {
      throw new VolumeBackendAPIException(`there is no volume ${volume.id}`);
    }
    this.sizes.set(volume.id, Math.max(newSize, this.sizes.get(volume.id) ?? volume.size));
  }

  async initializeConnection({ id, readonly }: VolumeRecord): Promise<ConnectionInfo> {
    return {
      driver_volume_type: "nfs",
      data: {
        export: "server:/export/a",
        name: `volume-${id}`,
        options: null,
        format: "raw",
        qos_specs: null,
        access_mode: readonly === true ? "ro" : "rw",
        encrypted: false,
        cacheable: false,
      },
      mount_point_base: "/mnt-a",
    };
  }

  async createSnapshot(snapshot: SnapshotRecord): Promise<ModelUpdate | null> {
    if (this.fencesAttempts && this.closedSnapshots.has(snapshot.id)) {
      throw new AttemptClosed(fenceOf(snapshot.id, 1));
    }
    this.snapshots.add(snapshot.id);
    return this.modelUpdate;
  }

  async deleteSnapshot(snapshotId: string): Promise<void> {
    this.snapshots.delete(snapshotId);
  }

  async findVolume(volumeId: string, fence: string | null): Promise<"present" | "absent"> {
    const isThere = this.volumes.has(volumeId) || this.partials.has(volumeId);
    return isThere && this.#isMadeUpTo(volumeId, fence) ? "present" : "absent";
  }

  async findSnapshot(snapshotId: string): Promise<"present" | "absent"> {
    return this.snapshots.has(snapshotId) ? "present" : "absent";
  }

  async *listContents(): AsyncGenerator<StoredContent> {
    const content = (kind: StoredContent["kind"], id: string, partial: boolean): StoredContent => {
      return {
        kind,
        id,
        attempt: this.madeBy.get(id) ?? 1,
        partial,
        size_bytes: this.foundBytes.get(id) ?? (this.sizes.get(id) ?? 1) * 2 ** 30,
        modified_at: this.modifiedAt.get(id) ?? new Date(0),
      };
    };
    for (const id of this.volumes.keys()) {
      yield content("volume", id, false);
    }
    for (const id of this.partials) {
      yield content("volume", id, true);
    }
    for (const id of this.snapshots) {
      yield content("snapshot", id, false);
    }
  }

  async getVolumeStats(): Promise<DriverStats> {
    return this.stats;
  }

  /** A backend that cannot distinguish attempts treats everything as the caller's. */
  #isMadeUpTo(volumeId: string, fence: string | null): boolean {
    return !this.fencesAttempts || (this.madeBy.get(volumeId) ?? 1) <= attemptOfFence(fence);
  }

  /** In the same moment as the effect. */
  #requireOpen({ id, fence }: VolumeRecord): void {
    if (this.fencesAttempts && attemptOfFence(fence) <= (this.closed.get(id) ?? 0)) {
      throw new AttemptClosed(fenceOf(id, attemptOfFence(fence)));
    }
  }

  #create(volume: VolumeRecord, made: MadeFrom, work: Work): CreateOutcome {
    const { id, size } = volume;
    const attempt = attemptOfFence(volume.fence);
    this.#requireOpen(volume);
    if (!this.volumes.has(id) || (this.fencesAttempts && (this.madeBy.get(id) ?? 1) < attempt)) {
      this.made += 1;
      this.volumes.set(id, made);
      this.sizes.set(id, size);
      this.madeBy.set(id, attempt);
    }
    const turn = Number(work.checkpoint?.["turn"] ?? 0) + 1;
    return turn < this.turns
      ? { done: false, wait_seconds: this.waitSeconds ?? turn, checkpoint: { turn }, model_update: null }
      : { done: true, wait_seconds: 0, checkpoint: null, model_update: this.modelUpdate };
  }
}
