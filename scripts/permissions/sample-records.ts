import { noCounts } from "../../core/audit/book.ts";
import type { KeptAudit } from "../../core/audit/kept-audit.ts";
import { LEDGER_ATTEMPTS } from "../../core/requests/byte-budget.ts";
import type { DeadLetterRecord } from "../../core/dead-letters/dead-letters.ts";
import type { ImageCacheEntry } from "../../core/image-cache/image-cache.ts";
import type { BackendReport } from "../../core/ports.ts";
import type {
  Attempt,
  BackendRecord,
  CapacityClaim,
  CopyProgress,
  Fault,
  SnapshotRecord,
  VolumeAttachment,
  VolumeExtension,
  VolumeRecord,
  VolumeTypeRecord,
} from "../../core/records.ts";

/** Records with a value in every column, so that putting one names every attribute that it may ever have. */

export const AT = new Date("2026-01-01T00:00:00.000Z");
const at = AT.toISOString();

export const OWNER = { volumeId: "volume", fence: "volume-a1", attempt: 1 };
export const NEXT = { volumeId: "volume", fence: "volume-a2", attempt: 2 };
/** An attempt that makes the ledger drop a line. */
export const LATE_OWNER = { volumeId: "volume", fence: "volume-a99", attempt: 99 };
export const LOCK = { holder: "holder", value: "value" };
export const FAULT: Fault = { error: "E", cause: "c", attempt: 1, at, attempts: [] };
export const LINE: Attempt = { host: "h@b#p", execution: OWNER.fence, started_at: at, outcome: "running" };
export const PROGRESS: CopyProgress = { bytes_done: 1, bytes_total: 2, updated_at: at };
export const CLAIM: CapacityClaim = { attempt: 1, size: 1, claimed_at: at };

/** Columns that a new record does not have. */
type WrittenLater =
  | "extension"
  | "in_flow"
  | "reset_at"
  | "message_deleted"
  | "attachments"
  | "attach_status"
  | "attached_mode"
  | "attach_revision"
  | "retype_id"
  | "readonly";

/** A value in each column that a new record may have. */
type PutVolume = { [Column in Exclude<keyof VolumeRecord, WrittenLater>]-?: NonNullable<VolumeRecord[Column]> };

export const VOLUME: PutVolume = {
  id: "volume",
  project_id: "project",
  user_id: "user",
  size: 1,
  status: "creating",
  display_name: "name",
  display_description: "description",
  availability_zone: "nova",
  host: "h@b#p",
  volume_type_id: "type",
  snapshot_id: "snapshot",
  source_volid: "source",
  bootable: true,
  migration_status: "migrating",
  provider_location: "location",
  created_at: at,
  updated_at: at,
  scheduled_at: at,
  launched_at: at,
  metadata: { key: "value" },
  glance_metadata: { key: "value" },
  fence: OWNER.fence,
  attempts: Object.fromEntries(Array.from({ length: LEDGER_ATTEMPTS }, (_, index) => [String(index + 1), LINE])),
  phase: "creating",
  progress: PROGRESS,
  deadline: at,
  fault: FAULT,
  delete_requested_at: at,
  locks: { holder: "value" },
  times_locked: 1,
  dropped: { attempts: 1, columns: ["request"] },
  use_quota: true,
  quota_size: 1,
  request_digest: "digest",
  request: { request_id: "req-1", roles: [] },
};

/** An attachment with a value in every column. */
export const ATTACHMENT: VolumeAttachment = {
  attach_status: "attached",
  created_at: at,
  instance_uuid: "instance",
  attached_host: "host",
  mountpoint: "/dev/vdb",
  attach_mode: "rw",
  attached_at: at,
  connection_info: { driver_volume_type: "nfs", data: {} },
};

/** A record that another service put in `error` before any attempt owned it. */
export const VOLUME_IN_ERROR: VolumeRecord = { ...VOLUME, status: "error", fence: null, fault: null, deadline: null };

export const MIGRATION_TARGET: VolumeRecord = { ...VOLUME, status: "migration_target_creating" };

export const SNAPSHOT: { [Column in keyof SnapshotRecord]-?: NonNullable<SnapshotRecord[Column]> } = {
  id: "snapshot",
  volume_id: "volume",
  project_id: "project",
  user_id: "user",
  status: "creating",
  display_name: "name",
  volume_size: 1,
  host: "h@b#p",
  provider_location: "location",
  glance_metadata: { key: "value" },
  created_at: at,
  locks: { holder: "value" },
  times_locked: 1,
  display_description: "description",
  metadata: { key: "value" },
  volume_type_id: "type",
  progress: "80%",
  updated_at: at,
  use_quota: true,
  deadline: at,
};

export const VOLUME_TYPE: { [Column in keyof VolumeTypeRecord]-?: NonNullable<VolumeTypeRecord[Column]> } = {
  id: "type",
  name: "name",
  extra_specs: { key: "value" },
  description: "description",
  is_public: true,
  created_at: at,
  access: { project: "member" },
  encryption: {
    encryption_id: "encryption",
    provider: "luks",
    control_location: "front-end",
    cipher: "aes-xts-plain64",
    key_size: 256,
    created_at: at,
    updated_at: at,
  },
};

export const REPORT: { [Column in keyof BackendReport]-?: NonNullable<BackendReport[Column]> } = {
  host: "h@b#p",
  availability_zone: "nova",
  driver: "file",
  total_capacity_gb: 2,
  free_capacity_gb: 1,
  reserved_percentage: 0,
  max_over_subscription_ratio: 1,
  thin_provisioning_support: true,
  thick_provisioning_support: true,
  capabilities: { key: "value" },
  reported_at: at,
};

export const BACKEND: BackendRecord = {
  ...REPORT,
  disabled: false,
  allocated_capacity_gb: 1,
  provisioned_capacity_gb: 1,
  claims: { volume: CLAIM },
  moves: 1,
};

const { claims: _claims, ...RECORD } = BACKEND;

const COLUMNS = { ...RECORD, claim: `${VOLUME.id}#${CLAIM.attempt}#${CLAIM.claimed_at}` };

/** So many entries that they are taken off, of every kind. */
const FULL = Object.fromEntries(
  Array.from({ length: 9 }, (_, index) => [
    `volume ${index}`,
    { ...CLAIM, ...[{}, { given_back: true }, { suspected_orphan: true }][index % 3] },
  ]),
);

/** A backend and a claim on it as one item, because a recorded table has one answer: each step in which these can be. */
export const BACKEND_ITEMS: Record<string, unknown>[] = [
  { ...COLUMNS, claims: {} },
  { ...COLUMNS, claims: {}, free_capacity_gb: "unknown" },
  ...[CLAIM, { ...CLAIM, given_back: true }].map((entry) => ({ ...COLUMNS, claims: { [VOLUME.id]: entry } })),
  { ...COLUMNS, claims: FULL },
  { ...COLUMNS, claims: FULL, state: "open", ...CLAIM, open_since: at },
  ...["open", "settled", "given_back"].map((state) => ({
    ...COLUMNS,
    claims: {},
    state,
    ...CLAIM,
    open_since: at,
  })),
];

export const LETTER: { [Column in keyof DeadLetterRecord]-?: NonNullable<DeadLetterRecord[Column]> } = {
  id: "letter",
  volume_id: "volume",
  reason: "reason",
  body: "{}",
  received_count: 1,
  sent_at: at,
  kept_at: at,
  expires_at: 1,
  redrive_fence: NEXT.fence,
  redriven_at: at,
};

export const ENTRY: ImageCacheEntry = {
  id: "entry",
  volume_id: "volume",
  host: "h@b#p",
  image_id: "image",
  size: 1,
  state: "available",
  fence: OWNER.fence,
  lease_until: at,
  checkpoint: { offset: 1 },
  created_at: at,
  last_used_at: at,
};

export const NEW_ENTRY = { id: "entry", volume_id: "volume", host: "h@b#p", image_id: "image", size: 1 };

export const LEASE = { fence: OWNER.fence, now: AT, until: AT };

export const EXTENSION: VolumeExtension = {
  id: "e",
  number: 1,
  size: 2,
  previous_status: "available",
  started_at: AT.toISOString(),
};

export const KEPT_AUDIT: KeptAudit = {
  audited_at: at,
  complete: true,
  unaudited: [],
  older_than_hours: 24,
  reap: false,
  backends: 0,
  totals: noCounts(),
  findings: [],
  not_listed: 0,
};
