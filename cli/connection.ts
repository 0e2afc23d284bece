import type { AuditRepository } from "../core/audit/kept-audit.ts";
import type { AuditReport, AuditRequest } from "../core/audit/report.ts";
import type { ImageCacheRepository } from "../core/image-cache/image-cache.ts";
import type { ImageMeta } from "../core/drivers/driver-ports.ts";
import type {
  BackendRepository,
  DeadLetterRepository,
  LockRepository,
  SchedulerQueue,
  SnapshotRepository,
  VolumeRepository,
  VolumeTypeRepository,
} from "../core/ports.ts";
import type { ConnectionInfo, SnapshotRecord, VolumeRecord } from "../core/records.ts";
import type { ProjectRepository } from "../core/projects.ts";
import type { HistoryEvent } from "./cost/history.ts";

/**
 * The deployment as the commands see it. Each part and its SDK client are created on first use, so that a command loads only the parts that
 * it needs.
 */
export interface Connection {
  volumes(): Promise<VolumeRepository>;
  snapshots(): Promise<SnapshotRepository>;
  locks(): Promise<Pick<LockRepository, "of" | "remove">>;
  volumeTypes(): Promise<VolumeTypeRepository>;
  backends(): Promise<BackendRepository>;
  deadLetters(): Promise<DeadLetterRepository>;
  projects(): Promise<ProjectRepository>;
  audits(): Promise<Pick<AuditRepository, "last">>;
  imageCache(): Promise<Pick<ImageCacheRepository, "list" | "beginEvict">>;
  schedulerQueue(): Promise<Pick<SchedulerQueue, "send">>;
  images(): Promise<ImageStore>;
  /** The image service of an image that is named by its id alone. */
  defaultImageService(): Promise<"bucket" | "glance">;
  /** The configured backends, `host@backend`; empty when the stack does not name them. */
  backendHosts(): Promise<readonly string[]>;
  /** Time without a report after which a backend is down (`service_down_time`); the default when the stack does not set it. */
  serviceDownSeconds(): Promise<number>;
  /** The access point through which hosts mount the stack's file system; undefined where none may. */
  consumersAccessPoint(): Promise<string | undefined>;
  driverFunctions(): Promise<DriverFunctions>;
  executions(): Promise<Executions>;
  alarms(): Promise<Alarms>;
  close(): void;
}

/** The options of an image to add. */
export type NewImage = {
  id: string;
  path: string;
  name: string | null;
  /** GiB. */
  minDisk: number;
  properties: Record<string, string>;
  visibility: "public" | "private";
  owner: string;
};

/** The bucket of images. */
export interface ImageStore {
  /** Puts the file and then its metadata: an image without metadata does not exist. */
  add(
    image: NewImage,
    onProgress: (bytesDone: number, bytesTotal: number) => void,
    signal: AbortSignal,
  ): Promise<ImageMeta>;
  /** @throws ImageNotFound */
  get(imageId: string): Promise<ImageMeta>;
  list(): Promise<ImageMeta[]>;
  /** @throws ImageNotFound */
  delete(imageId: string): Promise<void>;
}

/** Actions of the functions that have the drivers. Each may be repeated. */
export interface DriverFunctions {
  createSnapshot(request: CreateSnapshotRequest): Promise<SnapshotRecord>;
  deleteSnapshot(snapshotId: string): Promise<void>;
  /** `requested`: the volume is being created, and the end of the create removes it. */
  deleteVolume(volumeId: string): Promise<"deleted" | "requested">;
  /** Returns when the volume is extended. */
  extendVolume(request: ExtendVolumeRequest): Promise<VolumeRecord>;
  /** How a host reaches the volume; it changes nothing. */
  initializeConnection(volume: VolumeRecord): Promise<ConnectionInfo>;
  /** The duration depends on the size of the backends: up to a quarter of an hour. */
  auditBackends(request: Partial<AuditRequest>): Promise<AuditReport>;
}

/** A snapshot to take; the caller chooses its id, so that a repeat finds the snapshot of the first call. */
export type CreateSnapshotRequest = {
  volume_id: string;
  snapshot_id: string;
  name: string | null;
  project_id: string;
  user_id: string;
};

/** An extension of a volume to `new_size` GiB; the caller chooses its id, so that a repeat finds the extension of the first call. */
export type ExtendVolumeRequest = { volume_id: string; extension_id: string; new_size: number };

/** An alarm of the stack. */
export type Alarm = {
  name: string;
  /** The event that turns it on; its last word is the section of the runbook, as in `docs/runbook.md#deadletters`. */
  description: string;
  state: "ALARM" | "OK" | "INSUFFICIENT_DATA";
  reason: string;
  /** When the state changed; null where CloudWatch does not say. */
  since: string | null;
};

/** The alarms of the stack: those that notify its topic. */
export interface Alarms {
  list(): Promise<Alarm[]>;
}

/** The workflow's executions by their names. */
export interface Executions {
  /**
   * Every event in order; undefined when the execution is not known any more (90 days on AWS).
   *
   * @param withData also what each state was entered and left with
   */
  history(name: string, withData?: boolean): Promise<HistoryEvent[] | undefined>;
  /** Names of the executions that started last, the newest first: at most 100. */
  newest(): Promise<string[]>;
}
