import type { KeptAudit } from "../../core/audit/kept-audit.ts";
import type { DeadLetterRecord } from "../../core/dead-letters/dead-letters.ts";
import type { ErrorRoute } from "../../core/errors.ts";
import type { BackendRecord, VolumeRecord, VolumeStatus } from "../../core/records.ts";

/** Messages between the console's server and its page; everything travels as JSON. */

/** Header that carries the token of the session. */
export const TOKEN_HEADER = "x-console-token";

/** A failure as the page shows it. */
export type Failure = { name: string; message: string; hint: string | null };

/** How far an image copy is; what is not known is null. */
export type CopyReading = {
  bytes_done: number;
  bytes_total: number;
  bytes_per_second: number | null;
  eta_seconds: number | null;
};

/** A volume as the list shows it. */
export type VolumeRow = {
  id: string;
  name: string | null;
  status: VolumeStatus;
  phase: VolumeRecord["phase"];
  /** GiB. */
  size: number;
  host: string | null;
  project_id: string;
  created_at: string;
  /** Number of the last attempt; 0 before the first. */
  attempt: number;
  /** `Error: cause` of a volume in error. */
  fault: string | null;
};

/** A create that is under way. */
export type Create = VolumeRow & { copy: CopyReading | null };

/** Sort keys of the list. */
export const SORT_KEYS = ["name", "status", "size", "host", "project_id", "created_at"] as const;

/** One of {@link SORT_KEYS}. */
export type SortKey = (typeof SORT_KEYS)[number];

/** Rows on one page of the list. */
export const ROWS_ON_PAGE = 50;

/** A page of the list, and figures of all volumes. */
export type VolumesAnswer = {
  rows: VolumeRow[];
  /** Volumes that match search and status. */
  matching: number;
  /** All volumes, whatever is searched for. */
  total: number;
  /** Volumes by status, whatever is searched for. */
  counts: Partial<Record<VolumeStatus, number>>;
  /** The creates under way, the oldest first; at most {@link MOST_CREATES}. */
  creates: Create[];
  creates_total: number;
  /** Volumes created in each of the last {@link MINUTES_SHOWN} minutes, the oldest minute first. */
  created_per_minute: number[];
  /** Median time from request to `available`, in seconds, of the volumes that became available in each of these minutes; null without any. */
  create_seconds_per_minute: (number | null)[];
  /** Records that cannot be read. */
  unreadable: number;
  /** False while the first reading of all volumes is under way. */
  complete: boolean;
  /** Why the volumes are not those of now; null when they are. */
  failure: Failure | null;
  /** When the volumes were last read. */
  read_at: string | null;
};

/** Creates in progress that are shown in full. */
export const MOST_CREATES = 8;

/** Minutes of `created_per_minute`. */
export const MINUTES_SHOWN = 30;

/** The meaning of an error's name. */
export type ErrorMeaning = { name: string; route: ErrorRoute; meaning: string | null; consequence: string };

/** Objects that name a volume, or are named by it. */
export type Brief = { id: string; name: string | null; status: string };

/** One volume with what belongs to it. */
export type VolumeAnswer = {
  volume: Omit<VolumeRecord, "request"> & { request?: VolumeRecord["request"] };
  copy: CopyReading | null;
  volume_type: string | null;
  source: string | null;
  snapshots: readonly Brief[];
  /** Volumes that are being made of it. */
  copies: readonly Brief[];
  error: ErrorMeaning | null;
  /** Commands to copy, with what each is for. */
  commands: { title: string; command: string }[];
  /** Actions that are allowed now. */
  may_retry: boolean;
  may_delete: boolean;
  /** The status that `Reset` sets; null when it may not be set. */
  reset_to: "available" | "error" | null;
  /** Whether the volume is on a backend, so that a host may reach it. */
  may_connect: boolean;
  /** A dead letter of the volume that may be sent again; null when there is none. */
  letter: string | null;
  now: string;
};

/** The result of a workflow state in one execution: `caught` means that it failed, and the workflow continued on another route. */
export type StepOutcome = "running" | "done" | "caught" | "failed";

/** One visit to a state. */
export type WorkflowStep = {
  state: string;
  outcome: StepOutcome;
  entered_at: string;
  left_at: string | null;
  /** Calls of the state's function; more than one where it was called again. */
  calls: number;
  /** Name of the last error in the state, even if a later call succeeded. */
  error: string | null;
  cause: string | null;
};

/** A notification that an execution has published, or was to publish. */
export type NotificationSent = {
  event: "volume.create.start" | "volume.create.end" | "volume.create.error";
  outcome: StepOutcome;
  at: string | null;
  error: string | null;
};

/** An execution of the workflow; `steps` is null when the service does not know it any more. */
export type ExecutionAnswer = {
  execution: string;
  steps: WorkflowStep[] | null;
  notifications: NotificationSent[];
};

/** Input and output of a state: JSON text, or null if the history has none. */
export type StateData = { input: string | null; output: string | null };

/** The cost of creating the volume, as `cinderless cost` computes it. */
export type CostAnswer = {
  cost: number;
  currency: string;
  steps: { step: string; cost: number }[];
  assumptions: string[];
};

/** An execution that was replayed on the machine of the console, up to the first answer that differs. */
export type ReplayAnswer = {
  same: boolean;
  /** Calls in the history; those after a difference were not made. */
  recorded: number;
  calls: { state: string; recorded: string; replayed: string; differences: string[] }[];
};

/** How a host uses a volume. */
export type ConnectionAnswer = { path: string; commands: { title: string; command: string }[] };

/** Every error that the flow knows, as `docs/errors.md` has it. */
export type ErrorsAnswer = { errors: ErrorMeaning[] };

/** Why the scheduler would not place a recent request on a pool. */
export type Skip = { volume_id: string; name: string | null; filter: string; reason: string };

/** A pool with whether the scheduler considers it. */
export type Backend = Omit<BackendRecord, "claims"> & {
  state: "up" | "down" | "disabled";
  claims: number;
  claimed_gb: number;
  /** Volumes whose record names this pool, as far as this console has read them. */
  volumes: number;
  /** The newest requests that the scheduler would not place here now. */
  skips: Skip[];
};

/** All pools. */
export type BackendsAnswer = {
  backends: Backend[];
  unreadable: number;
  now: string;
  /** How many of the newest requests {@link Backend.skips} is about. */
  requests: number;
};

/** An alarm as the page shows it. */
export type ShownAlarm = {
  name: string;
  /** Its section of the runbook, or its name where it has none. */
  title: string;
  what: string;
  state: "ALARM" | "OK" | "INSUFFICIENT_DATA";
  reason: string;
  since: string | null;
  /** Markdown. */
  runbook: string | null;
};

/** All alarms of the stack, those that are on first. */
export type AlarmsAnswer = { alarms: ShownAlarm[] };

/** All dead letters, the newest first. */
export type DeadLettersAnswer = { letters: DeadLetterRecord[] };

/** The last audit of all backends, and since when this console runs one. */
export type AuditAnswer = { running_since: string | null; report: KeptAudit | null; failure: Failure | null };
