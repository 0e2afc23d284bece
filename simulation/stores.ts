import { requireWhole } from "../adapters/file/copy-file.ts";
import { requireHash } from "../adapters/file/image-turn.ts";
import { S3ImageService } from "../adapters/s3/image-service.ts";
import { VolumeBackendAPIException } from "../core/errors.ts";
import type {
  CopyWork,
  CreateOutcome,
  DriverStats,
  ImageMeta,
  ImageSource,
  Work,
} from "../core/drivers/driver-ports.ts";
import type { AuditRepository, KeptAudit } from "../core/audit/kept-audit.ts";
import type { Clock } from "../core/ports.ts";
import type { ImageCacheSettings } from "../core/image-cache/image-cache.ts";
import type { Notification } from "../core/notifications/notifications.ts";
import type { ModelUpdate, SnapshotRecord, VolumeRecord } from "../core/records.ts";
import { DEFAULT_SETTINGS, type SchedulerSettings } from "../core/scheduling/settings.ts";
import { InMemoryDynamoDb } from "./dynamodb/in-memory-dynamodb.ts";
import { TABLES } from "./dynamodb/tables.ts";
import { BackendsFake, backendInService } from "./stores/backends.ts";
import { SnapshotsFake, VolumeTypesFake } from "./stores/catalogues.ts";
import { DeadLettersFake } from "./stores/dead-letters.ts";
import { DriverFake } from "./driver.ts";
import { ImageCacheFake } from "./stores/image-cache.ts";
import { imageBucket } from "./image-bucket.ts";
import { LocksFake } from "./stores/locks.ts";
import { ProjectsFake } from "./stores/projects.ts";
import { VolumesFake } from "./stores/volumes.ts";

/** GiB of each simulated backend. */
const TOTAL_GIB = 100;

/** Bytes that are left of a source that lost some. */
export const TRUNCATED_BYTES = 1000;
const SOURCE_BYTES = 2 ** 30;
const IMAGE_BYTES = 1024;

/** A backend whose reports follow what it holds, and that may refuse to create. */
export class SimulatedBackend extends DriverFake {
  /** Refuses every create, as a backend does that is full or broken: nothing is made. */
  refuses = false;
  #answering: PromiseWithResolvers<void> | undefined;
  /** Says that a volume is deleted, and keeps it. */
  keepsDeleted = false;
  /** How long each turn of an image copy takes, before it has its effect. */
  copyTurn: () => Promise<void> = async () => {};
  /** Its options are wrong: no driver can be made of them. */
  isUnbuildable = false;
  /** Images whose bytes are not those of their documents. */
  readonly damagedImages = new Map<string, "shorter" | "other bytes">();
  /** Ids of volumes and snapshots that lost bytes on the backend: refused as sources, as the contract of drivers has it. */
  readonly truncated = new Set<string>();
  readonly #volumes: VolumesFake;
  /** GiB that something else takes, so that backends differ. */
  readonly #takenGib: number;

  constructor(volumes: VolumesFake, takenGib: number) {
    super();
    this.#volumes = volumes;
    this.#takenGib = takenGib;
  }

  /** Gives no answer to any call, as a mount whose server is gone. The request takes effect when the server is available again. */
  get hangs(): boolean {
    return this.#answering !== undefined;
  }

  set hangs(hangs: boolean) {
    this.#answering?.resolve();
    this.#answering = hangs ? Promise.withResolvers<void>() : undefined;
  }

  /** Resolves when it answers. */
  async answering(): Promise<void> {
    await this.#answering?.promise;
  }

  override async createVolume(volume: VolumeRecord, work: Work): Promise<CreateOutcome> {
    if (this.refuses) {
      throw new VolumeBackendAPIException("the backend refuses");
    }
    return super.createVolume(volume, work);
  }

  override async deleteVolume(volumeId: string, fence: string | null): Promise<void> {
    if (!this.keepsDeleted) {
      await super.deleteVolume(volumeId, fence);
    }
  }

  override async createVolumeFromSnapshot(volume: VolumeRecord, snapshot: SnapshotRecord, work: Work) {
    this.#requireWhole(snapshot.id);
    return super.createVolumeFromSnapshot(volume, snapshot, work);
  }

  override async createClonedVolume(volume: VolumeRecord, source: VolumeRecord, work: Work): Promise<CreateOutcome> {
    this.#requireWhole(source.id);
    return super.createClonedVolume(volume, source, work);
  }

  override async copyImageToVolume(
    volume: VolumeRecord,
    image: ImageSource,
    work: CopyWork,
  ): Promise<{ done: boolean }> {
    await this.copyTurn();
    if ((work.progress?.bytes_done ?? 0) + 1 >= this.chunks) {
      this.#requireImage(image.imageId);
    }
    return super.copyImageToVolume(volume, image, work);
  }

  /** At the end of the bytes, by the file driver's own rule. */
  #requireImage(imageId: string): void {
    const damage = this.damagedImages.get(imageId);
    const expected = { algorithm: "sha512", value: "as documented" } as const;
    const found = { digest: () => (damage === undefined ? expected.value : "another") };
    const offset = damage === "shorter" ? IMAGE_BYTES - 1 : IMAGE_BYTES;
    requireHash({ image: { imageId }, size: IMAGE_BYTES, expected }, { offset, hasher: found });
  }

  override async createSnapshot(snapshot: SnapshotRecord, volume?: VolumeRecord): Promise<ModelUpdate | null> {
    this.#requireWhole(volume?.id ?? snapshot.volume_id);
    return super.createSnapshot(snapshot);
  }

  /** By the file driver's own rule, so that a rule that is broken there is found here. */
  #requireWhole(id: string): void {
    requireWhole(`source ${id}`, this.truncated.has(id) ? TRUNCATED_BYTES : SOURCE_BYTES, SOURCE_BYTES);
  }

  override async getVolumeStats(): Promise<DriverStats> {
    const held = [...this.volumes.keys()].reduce((sum, id) => sum + (this.#volumes.records.get(id)?.size ?? 0), 0);
    return { ...this.stats, total_capacity_gb: TOTAL_GIB, free_capacity_gb: TOTAL_GIB - this.#takenGib - held };
  }
}

/** The fields of a published notification that the invariants need. */
export type Published = { notification: Notification; statusThen: string | undefined; atMs: number };

/** The last audit, in memory. */
class KeptAudits implements AuditRepository {
  #last: KeptAudit | undefined;

  async keep(audit: KeptAudit): Promise<void> {
    this.#last = structuredClone(audit);
  }

  async last(): Promise<KeptAudit | undefined> {
    return structuredClone(this.#last);
  }
}

/** Everything that lasts: records, the backends' contents, notifications, images. */
export class Stores {
  readonly #tables = new InMemoryDynamoDb(TABLES);
  readonly volumes: VolumesFake;
  readonly backends: BackendsFake;
  readonly projects: ProjectsFake;
  readonly snapshots = new SnapshotsFake(this.#tables);
  readonly locks = new LocksFake(this.#tables);
  readonly volumeTypes = new VolumeTypesFake(this.#tables);
  readonly deadLetters = new DeadLettersFake(this.#tables);
  readonly imageCacheEntries = new ImageCacheFake(this.#tables);
  readonly audits = new KeptAudits();
  schedulerSettings: SchedulerSettings = DEFAULT_SETTINGS;
  /** Of every backend, where a scenario switches it on. */
  imageCacheSettings: ImageCacheSettings | undefined;
  /** By `host@backend#pool`. */
  readonly drivers = new Map<string, SimulatedBackend>();
  readonly imageMetas = new Map<string, ImageMeta>();
  readonly published: Published[] = [];

  constructor(clock: Clock) {
    this.volumes = new VolumesFake(clock, this.#tables);
    this.backends = new BackendsFake(clock, this.#tables);
    this.projects = new ProjectsFake(clock, this.#tables);
  }

  /** A backend in service. */
  addBackend(host: string, reportedAt: string, takenGib = 0): SimulatedBackend {
    const driver = new SimulatedBackend(this.volumes, takenGib);
    this.drivers.set(host, driver);
    const capacity = { total_capacity_gb: TOTAL_GIB, free_capacity_gb: TOTAL_GIB - takenGib };
    this.backends.records.set(host, backendInService({ host, ...capacity, reported_at: reportedAt }));
    return driver;
  }

  /** The product's own image service, on a bucket in memory. */
  readonly imageService = new S3ImageService(imageBucket(this.imageMetas), "images");
}
