/**
 * The records as they are stored, in Cinder's column names. One DynamoDB table per kind; the volume's `glance_metadata` is a
 * map on the volume, so it is written whole or not at all.
 */

/** Volume statuses of Cinder (`cinder/objects/fields.py`, VolumeStatus), in its order: an operator may set each of them. */
export const CINDER_VOLUME_STATUSES = [
  "creating",
  "available",
  "deleting",
  "error",
  "error_deleting",
  "error_managing",
  "managing",
  "attaching",
  "in-use",
  "detaching",
  "maintenance",
  "restoring-backup",
  "error_restoring",
  "reserved",
  "awaiting-transfer",
  "backing-up",
  "error_backing-up",
  "error_extending",
  "downloading",
  "uploading",
  "retyping",
  "extending",
] as const;

/** Every volume status: Cinder's, and those of a migration's target, which Cinder does not list. */
export const VOLUME_STATUSES = [...CINDER_VOLUME_STATUSES, "migration_target_creating", "migration_target"] as const;

/** One of {@link VOLUME_STATUSES}. */
export type VolumeStatus = (typeof VOLUME_STATUSES)[number];

/** Statuses that the flow gives a volume that it is creating. An operator may set them too. */
export const STATUSES_IN_FLOW = [
  "creating",
  "downloading",
  "migration_target_creating",
] as const satisfies readonly VolumeStatus[];

/** Whether the status belongs to the flow, whichever writer set it. */
export function isFlowStatus(status: string): boolean {
  return (STATUSES_IN_FLOW as readonly string[]).includes(status);
}

/** Statuses with which a finished create leaves the flow. */
export const STATUSES_CREATED = ["available", "migration_target"] as const satisfies readonly VolumeStatus[];

/** Statuses of a volume that may be extended: at rest on its backend, or left so by an extension that failed. */
export const STATUSES_EXTENDABLE = ["available", "error_extending"] as const satisfies readonly VolumeStatus[];

/**
 * The current step, finer than `status` (which shows only Cinder's own words).
 *
 * - `queued`: its message waits for the scheduler, or is on its way back to it.
 * - `scheduled`: a host is chosen and the workflow owns the record; the backend was not asked yet.
 * - `creating`: the backend was or is being asked: it may hold the volume.
 * - `created`: the backend holds the volume.
 * - `copying`: an image is being copied into the volume.
 */
export type VolumePhase = "queued" | "scheduled" | "creating" | "created" | "copying";

/** Whether no backend has been asked for a volume in that phase. */
export function isBeforeTheBackend(phase: VolumePhase | null): boolean {
  return phase === "queued" || phase === "scheduled";
}

/** How one attempt ended, or that it has not. */
export type AttemptOutcome = "running" | "created" | "rescheduled" | "error";

/** One line of the volume's ledger: one placement on one backend. Times are ISO 8601 in UTC. */
export type Attempt = {
  host: string | null;
  /** Name of the workflow's execution, which is also the fence of the attempt. */
  execution: string;
  started_at: string;
  ended_at?: string;
  outcome: AttemptOutcome;
  /** Name of the error that ended the attempt. */
  error?: string;
  /** Its message, cut to a bounded length. */
  cause?: string;
  /** True when the backend could not confirm that it holds nothing of the volume any more. */
  suspected_orphan?: boolean;
};

/** How far an image copy is. `hash_state` resumes the hash where the bytes stop. */
export type CopyProgress = {
  bytes_done: number;
  bytes_total: number;
  /** Over the last seconds of the copying turn; absent while it is unknown. */
  bytes_per_second?: number;
  updated_at: string;
  /** Identity of the image that the bytes came from; another identity restarts the copy. */
  image_tag?: string;
  hash_state?: string;
};

/** Why a volume is in `error`. The final fault names every attempt. */
export type Fault = {
  error: string;
  cause: string;
  attempt: number;
  at: string;
  /** One line an attempt that came before: `attempt 1 on host: Error: cause`. */
  attempts: string[];
};

/** Data that a record has dropped to stay within its bounds: see `core/requests/record-room.ts`. */
export type Dropped = {
  /** Lines of the ledger. */
  attempts?: number;
  /** Columns that are gone, or have lost entries. */
  columns?: string[];
};

/** The part of a create's request that no other column stores, so that a failed create can be repeated and shown. */
export type CreateRequestMemo = {
  request_id: string;
  /** The image's id, or its address in an image service. */
  image_id?: string;
  roles: string[];
  /** Name of the secret with the caller's token for the image service; never the token. */
  auth_secret?: string;
  availability_zone?: string;
  scheduler_hints?: Record<string, string>;
};

/**
 * The last extension of a volume, in progress or ended. It stays on the record, because it proves the purpose of its claimed capacity: see
 * `core/extensions.ts`.
 */
export type VolumeExtension = {
  /** Chosen by the caller, so that a repeated request finds the extension that the first one began. */
  id: string;
  /** Counts the extensions of the volume, from 1. It owns the writes of the extension and its claim, as the fence owns a create. */
  number: number;
  /** GiB that the volume is to have. */
  size: number;
  /** Whether the project's quota was asked for the growth: `quota_size` follows the extension then. */
  counted?: true;
  /** Status that the volume returns to when the backend was not asked. */
  previous_status: VolumeStatus;
  started_at: string;
  /** When the capacity was claimed that this extension may use; absent until then. A claim of another time is not this one's. */
  claimed_at?: string;
  /** Absent while the extension is under way. */
  outcome?: "extended" | "failed";
  ended_at?: string;
  /** Name of the error by which it failed. */
  error?: string;
  /** Its message, cut to a bounded length. */
  cause?: string;
};

/** Statuses of an attachment, and of a volume as far as attachments are concerned (`VolumeAttachStatus` of Cinder). */
export type AttachStatus = "reserved" | "attaching" | "attached" | "detached";

/** A use of a volume by one instance or host (`volume_attachment` of Cinder). */
export type VolumeAttachment = {
  attach_status: Exclude<AttachStatus, "detached">;
  created_at: string;
  instance_uuid: string | null;
  attached_host: string | null;
  /** Device name in the instance. */
  mountpoint: string | null;
  /** `rw` or `ro`; null while it is not set. */
  attach_mode: string | null;
  attached_at: string | null;
  /** The driver's answer to the connector; null before there is one. */
  connection_info: ConnectionInfo | null;
};

/** How a host reaches a volume, as the driver says (`initialize_connection` of Cinder). */
export type ConnectionInfo = {
  /** Kind of connector that the host needs, in os-brick's names: `nfs`, for example. */
  driver_volume_type: string;
  data: Record<string, unknown>;
  mount_point_base?: string;
};

/** A volume. Absent columns read as null, empty or false. */
export type VolumeRecord = {
  id: string;
  project_id: string;
  user_id: string;
  /** GiB. */
  size: number;
  status: VolumeStatus;
  display_name: string | null;
  display_description: string | null;
  availability_zone: string | null;
  /** `host@backend#pool`; null until scheduled. Capacity is counted on a host for exactly the volumes that name it. */
  host: string | null;
  volume_type_id: string | null;
  snapshot_id: string | null;
  source_volid: string | null;
  bootable: boolean;
  migration_status: string | null;
  provider_location: string | null;
  created_at: string;
  updated_at: string;
  scheduled_at: string | null;
  launched_at: string | null;
  metadata: Record<string, string>;
  glance_metadata: Record<string, string>;
  /** The attempt that owns the record: `<volume_id>-a<attempt>`. Null before the first scheduling. */
  fence: string | null;
  /** Ledger of attempts by number ("1", "2"...): the first one and the newest, `LEDGER_ATTEMPTS` at most. */
  attempts: Record<string, Attempt>;
  phase: VolumePhase | null;
  progress: CopyProgress | null;
  /**
   * When the sweep takes the volume unless it has moved on. The flow, an extension or a removal owns the volume exactly while there is
   * one; null at rest.
   */
  deadline: string | null;
  fault: Fault | null;
  /** Time at which the volume's deletion was requested during the flow: the flow ends by removing its data. */
  delete_requested_at: string | null;
  /** How often the volume was locked as a source; absent if never. The locks themselves are items of their own (`LockRepository`). */
  times_locked?: number;
  /** Locks that a release before 0.3 has left, values by holder. They become items when the volume is deleted or audited. */
  locks?: Record<string, string>;
  /** The request of the create with an Idempotency-Key, so that the key cannot be used for another request. */
  request_digest?: string;
  /** The part of the request that the columns lack; absent on volumes that another service has recorded. */
  request?: CreateRequestMemo;
  /** Absent while the record is whole. */
  dropped?: Dropped;
  /** Absent until the volume is extended for the first time. */
  extension?: VolumeExtension;
  /** Whether the volume counts in its project's quota (`use_quota` of Cinder); absent where it does not. */
  use_quota?: true;
  /**
   * GiB that the volume counts for in its quota: the size at its create, or of the last extension through the API, from its beginning on. An
   * extension by `ExtendVolume` alone takes no quota.
   */
  quota_size?: number;
  /** Time of the fault whose user message was deleted; that of a later fault is shown. */
  message_deleted?: string;
  /** Id of the last `os-retype`, by which its write is recognized when it arrives again; absent before the first. */
  retype_id?: string;
  /** By attachment id; absent while there are none. */
  attachments?: Record<string, VolumeAttachment>;
  /** Absent while the volume is detached. */
  attach_status?: AttachStatus;
  /** Mode of the last attachment by `os-attach` (Cinder's admin metadata `attached_mode`). */
  attached_mode?: string;
  /** Whether the volume may only be attached for reading (Cinder's admin metadata `readonly`); absent until someone has said. */
  readonly?: boolean;
  /** Another number with each change of attachments: each is conditional on the number that it was decided by. */
  attach_revision?: number;
  /** Marks a volume that the flow owns without a deadline: a cached image being filled, which has the lease of its entry instead. */
  in_flow?: true;
  /** When an operator set the status last (`os-reset_status`); absent when none has. */
  reset_at?: string;
};

/**
 * The volume at the start of its workflow; it travels with the workflow, as Cinder's `volume_ref` does between tasks. Later tasks use its
 * unchanging fields (sizes, names, owners) and read the record for everything else. A notification has no other fields of the volume either.
 */
export type VolumeRef = Omit<
  VolumeRecord,
  | "attempts"
  | "deadline"
  | "fault"
  | "phase"
  | "progress"
  | "delete_requested_at"
  | "locks"
  | "times_locked"
  | "dropped"
>;

/** A volume in a list without details. */
export type VolumeSummary = Pick<VolumeRecord, "id" | "display_name" | "created_at">;

/** Columns that every new volume has. */
type NewVolumeColumns = Pick<VolumeRecord, "id" | "project_id" | "user_id" | "size" | "created_at">;

/** A volume that is being created with these columns; all others are null or empty. */
export function newVolume(columns: NewVolumeColumns & Partial<VolumeRecord>): VolumeRecord {
  return {
    status: "creating",
    display_name: null,
    display_description: null,
    availability_zone: null,
    host: null,
    volume_type_id: null,
    snapshot_id: null,
    source_volid: null,
    bootable: false,
    migration_status: null,
    provider_location: null,
    updated_at: columns.created_at,
    scheduled_at: null,
    launched_at: null,
    metadata: {},
    glance_metadata: {},
    fence: null,
    attempts: {},
    phase: null,
    progress: null,
    deadline: null,
    fault: null,
    delete_requested_at: null,
    ...columns,
  };
}

/** The value of a snapshot's lock on its volume; no fence reads so. */
export const SNAPSHOT_LOCK = "snapshot";

/** Data that a driver may return to store with the volume (`model_update` in Cinder). */
export type ModelUpdate = {
  provider_location?: string;
};

/** Statuses of a snapshot (`cinder/objects/fields.py`, SnapshotStatus); an operator may set each of them. */
export const SNAPSHOT_STATUSES = [
  "error",
  "available",
  "creating",
  "deleting",
  "deleted",
  "updating",
  "error_deleting",
  "unmanaging",
  "backing-up",
  "restoring",
] as const;

/** One of {@link SNAPSHOT_STATUSES}. */
export type SnapshotStatus = (typeof SNAPSHOT_STATUSES)[number];

/** A snapshot of a volume. */
export type SnapshotRecord = {
  id: string;
  volume_id: string;
  project_id: string;
  user_id: string;
  status: SnapshotStatus;
  display_name: string | null;
  /** GiB of the volume when the snapshot was taken. */
  volume_size: number;
  /** Host of the volume, where the snapshot is. */
  host: string;
  provider_location: string | null;
  /** Copied from the volume when the snapshot was taken. */
  glance_metadata: Record<string, string>;
  created_at: string;
  /** As on a volume. */
  times_locked?: number;
  /** As on a volume. */
  locks?: Record<string, string>;
  display_description?: string;
  metadata?: Record<string, string>;
  /** Type of the volume when the snapshot was taken. */
  volume_type_id?: string;
  /** Progress such as `80%`, if a driver's helper has reported it. */
  progress?: string;
  /** When its details were changed last. */
  updated_at?: string;
  /** Whether the snapshot counts in its project's quota; absent where it does not. */
  use_quota?: true;
  /** When the sweep decides a snapshot that is being taken or deleted; absent at rest. */
  deadline?: string;
};

/** A volume type: a name for a set of extra specs that the scheduler matches against capabilities. */
export type VolumeTypeRecord = {
  id: string;
  name: string;
  extra_specs: Record<string, string>;
  description: string | null;
  is_public: boolean;
  created_at: string;
  /** Projects that may use a private type, as keys. */
  access?: Record<string, string>;
  /** How volumes of the type would have to be encrypted; absent when they need not. */
  encryption?: TypeEncryption;
};

/** The encryption record of a volume type (`volume_type_encryption` of Cinder). */
export type TypeEncryption = {
  encryption_id: string;
  provider: string;
  control_location: "front-end" | "back-end";
  cipher: string | null;
  /** Bits. */
  key_size: number | null;
  created_at: string;
  updated_at: string | null;
};

/** Attempt of the claim that a deleted volume leaves while work on it may continue; it holds nothing. Attempts begin at 1. */
export const RETURNED_CAPACITY = 0;

/** Capacity held on a backend for a volume that is being created or extended. */
export type CapacityClaim = {
  attempt: number;
  size: number;
  claimed_at: string;
  /** Of attempt 0: abandoned work may have continued after the deletion; the backend is asked once more. */
  suspected_orphan?: boolean;
};

/**
 * One pool of a backend: its last report, and the volumes placed on it since. The figures follow `cinder/scheduler/host_manager.py`
 * (PoolState); claims take the place of its consumption in memory.
 */
export type BackendRecord = {
  /** `host@backend#pool`. */
  host: string;
  availability_zone: string;
  driver: string;
  disabled: boolean;
  /** Why it is disabled, for people. */
  disabled_reason?: string;
  total_capacity_gb: number | string | null;
  /** As reported, less the claims that were open at the report, less the claims since. */
  free_capacity_gb: number | string | null;
  /** GiB of the volumes whose record names this host, open claims included. */
  allocated_capacity_gb: number;
  provisioned_capacity_gb: number;
  reserved_percentage: number;
  max_over_subscription_ratio: number | string | null;
  thin_provisioning_support: boolean;
  thick_provisioning_support: boolean;
  /** Everything else that the driver reports, for the capabilities filter. */
  capabilities: Record<string, unknown>;
  reported_at: string;
  /** The newest claims by key, as far as they are still on the backend's own item: `openClaims` of the repository has all open ones. */
  claims: Record<string, CapacityClaim>;
  /** Counts what was taken off {@link claims}: a claim by an older record is refused. */
  moves?: number;
};

/** Cinder's default `volume_name_template`. */
export function volumeName(volumeId: string): string {
  return `volume-${volumeId}`;
}

/** Cinder's default `snapshot_name_template`. */
export function snapshotName(snapshotId: string): string {
  return `snapshot-${snapshotId}`;
}

/**
 * Name of the execution that carries an attempt, and with it the fence that its writes are conditional on. The name alone makes
 * a repeated StartExecution harmless.
 */
export function fenceOf(volumeId: string, attempt: number): string {
  return `${volumeId}-a${attempt}`;
}

/** The attempt that a fence names; the first one, which has none until it is scheduled, when there is no fence. */
export function attemptOfFence(fence: string | null): number {
  return fence === null ? 1 : Number(fence.slice(fence.lastIndexOf("-a") + 2));
}

/** Number of the attempt that is under way or was the last; 0 before the first. */
export function attemptOf({ attempts }: Pick<VolumeRecord, "attempts">): number {
  return Math.max(0, ...Object.keys(attempts).map(Number));
}
