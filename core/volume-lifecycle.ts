import { isBeforeTheBackend, STATUSES_IN_FLOW, type VolumeRecord } from "./records.ts";

/**
 * The states of a volume's record: each column that decides about them is tested in {@link DECISIONS} and nowhere else. `lifecycleOf`
 * follows that tree with a record, and the store's conditions are its paths (`core/volume-transitions.ts`).
 */

/** Every state of a record, with its meaning. */
export const LIFECYCLE_STATES = {
  waiting: "Waits for the scheduler, and no attempt owns it. No backend was asked.",
  handed_over: "Waits for the scheduler, and belongs to its next attempt already. No backend holds anything of it.",
  scheduled: "Has a host. The backend was not asked yet.",
  on_backend: "The backend was asked, so it may hold the volume.",
  cancelled: "Its deletion was requested during the create. The end of the attempt removes it.",
  at_rest: "Belongs to its users, with any status that they or an operator give it.",
  extending: "An extension owns it.",
  unplaced: "In `error`: the scheduler found no backend, or its message was lost.",
  failed: "In `error`: an attempt failed, or an operator or another service has set the status.",
  unclaimed: "In `error` by another service, and no attempt has owned it. Its message may still come, and takes it.",
  removing: "In `deleting`: its backend, its capacity and its record go, in this order.",
  removal_failed: "In `error_deleting`: the removal did not get through. The sweep begins it again.",
  taken_over: "Another writer has set a status while the flow or a removal owned it. The sweep gives it up.",
} as const;

/** One of {@link LIFECYCLE_STATES}. */
export type LifecycleState = keyof typeof LIFECYCLE_STATES;

/** The columns that decide about the state. */
export type DecidingColumn =
  | "in_flow"
  | "delete_requested_at"
  | "status"
  | "fence"
  | "phase"
  | "extension"
  | "host"
  | "fault"
  | "reset_at";

/** A state, or a test of one column: whether it is there, or has one of these values. */
type Decision = LifecycleState | ColumnTest;

/** See {@link Decision}. */
export type ColumnTest = { column: DecidingColumn; values?: readonly string[]; yes: Decision; no: Decision };

const has = (column: DecidingColumn, yes: Decision, no: Decision): ColumnTest => ({ column, yes, no });

const isOneOf = (column: DecidingColumn, values: readonly string[], yes: Decision, no: Decision): ColumnTest => ({
  column,
  values,
  yes,
  no,
});

/** Neither an attempt nor the flow nor an operator has written the record since another service put it. */
const untouched = (yes: Decision, no: Decision): ColumnTest =>
  has("fence", no, has("fault", no, has("reset_at", no, yes)));

const WANTED_IN_FLOW = has(
  "fence",
  isOneOf("phase", ["queued"], "handed_over", isOneOf("phase", ["scheduled"], "scheduled", "on_backend")),
  "waiting",
);

/**
 * The state by the columns. `in_flow` is there while the flow, an extension or a removal owns the volume; the status alone proves nothing,
 * because an operator may set any. A record that another service has put has no `in_flow` until its message is scheduled.
 */
export const DECISIONS: ColumnTest = has(
  "in_flow",
  has(
    "delete_requested_at",
    isOneOf(
      "status",
      STATUSES_IN_FLOW,
      "cancelled",
      isOneOf(
        "status",
        ["deleting"],
        "removing",
        isOneOf("status", ["error_deleting"], "removal_failed", "taken_over"),
      ),
    ),
    isOneOf(
      "status",
      STATUSES_IN_FLOW,
      WANTED_IN_FLOW,
      isOneOf("status", ["extending"], has("extension", "extending", "taken_over"), "taken_over"),
    ),
  ),
  isOneOf(
    "status",
    STATUSES_IN_FLOW,
    untouched("waiting", "at_rest"),
    isOneOf(
      "status",
      ["error"],
      untouched("unclaimed", has("fault", has("host", "failed", "unplaced"), "failed")),
      "at_rest",
    ),
  ),
);

/** A record, as far as its state depends on it. */
export type Deciding = Pick<VolumeRecord, Exclude<DecidingColumn, "in_flow"> | "in_flow" | "deadline">;

/** The state of a record. */
export function lifecycleOf(volume: Deciding): LifecycleState {
  let decision: Decision = DECISIONS;
  while (typeof decision !== "string") {
    const { column, values, yes, no }: ColumnTest = decision;
    const value = valueOf(volume, column);
    const isThere = value !== null && value !== undefined;
    decision = isThere && (values === undefined || values.some((each) => each === value)) ? yes : no;
  }
  return decision;
}

/** A stored item has `in_flow` with each deadline. */
function valueOf(volume: Deciding, column: DecidingColumn): unknown {
  return column === "in_flow" ? (volume.deadline ?? volume.in_flow) : volume[column];
}

/** Whether a record is in one of these states. */
export function isIn(states: readonly LifecycleState[], volume: Deciding): boolean {
  return states.includes(lifecycleOf(volume));
}

/** Whether the flow owns the volume, or will when its message arrives: it is being created. */
export function isInFlow(volume: Deciding): boolean {
  return isIn(["waiting", "handed_over", "scheduled", "on_backend", "cancelled"], volume);
}

/** Whether the volume's deletion was requested and has begun. Another writer has revoked it by setting any other status. */
export function isBeingRemoved(volume: Deciding): boolean {
  return isIn(["removing", "removal_failed"], volume);
}

/** Whether a volume waits for a message of the scheduler queue. */
export function isWaitingForScheduler(volume: VolumeRecord): boolean {
  return isInFlow(volume) && (volume.phase === "queued" || volume.phase === null);
}

/** Whether the flow has ended in `error` without a host: its message may come again to do the rest. */
export function isQueuedError({ status, fault, host }: VolumeRecord): boolean {
  return status === "error" && fault !== null && host === null;
}

/** Whether the attempt with that fence owns the record, or would if no deletion were requested. */
export function isOwnedBy(volume: VolumeRecord, fence: string): boolean {
  return volume.fence === fence && isInFlow(volume);
}

/** Whether the attempt with that fence has made the volume available. Users may have given it any status since. */
export function wasCreatedBy(volume: VolumeRecord, fence: string): boolean {
  return volume.fence === fence && volume.launched_at !== null && volume.fault === null && !isInFlow(volume);
}

/** The host whose backend was asked for the volume, so that its removal has to ask it too; null when none was asked. */
export function backendToClear({ host, phase }: VolumeRecord): string | null {
  return isBeforeTheBackend(phase) ? null : host;
}

/** Whether a backend may hold something of the volume. */
export function mayBeOnBackend(volume: VolumeRecord): boolean {
  return backendToClear(volume) !== null;
}
