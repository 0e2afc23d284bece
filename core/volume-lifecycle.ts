import type { VolumeRepository } from "./ports.ts";
import { isBeforeTheBackend, isBeingRemoved, isInFlow, isUntouched, type VolumeRecord } from "./records.ts";

/**
 * The lifecycle of a volume's record: the states that its columns stand for, and the transitions between them. The store's conditions are
 * tested against this table (`test/integration/volume-lifecycle.test.ts`), and docs/lifecycle.md is generated from it.
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

/** The state of a record. */
export function lifecycleOf(volume: VolumeRecord): LifecycleState {
  if (isBeingRemoved(volume)) {
    return volume.status === "deleting" ? "removing" : "removal_failed";
  }
  if (isInFlow(volume)) {
    return inFlowState(volume);
  }
  if (volume.deadline !== null) {
    return volume.status === "extending" && volume.extension !== undefined ? "extending" : "taken_over";
  }
  if (volume.status !== "error") {
    return "at_rest";
  }
  return isUntouched(volume) ? "unclaimed" : isQueuedError(volume) ? "unplaced" : "failed";
}

function inFlowState({ delete_requested_at: deleteRequestedAt, fence, phase }: VolumeRecord): LifecycleState {
  if (deleteRequestedAt !== null) {
    return "cancelled";
  }
  if (phase === "queued" || phase === null) {
    return fence === null ? "waiting" : "handed_over";
  }
  return phase === "scheduled" ? "scheduled" : "on_backend";
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

/** One method of the repository that moves a record from state to state. */
export type Transition = {
  /** The caller: part of the product, or a person. */
  by: string;
  from: readonly LifecycleState[];
  /** The possible states after it; `gone` when there is no record any more. */
  to: readonly (LifecycleState | "gone")[];
  /** Whether only the attempt that the record's fence names may do it. */
  fenced: boolean;
  /**
   * Whether the caller decides by the record that it has read: the store then only checks that the record is still the same, and `from` has
   * the states in which core calls it.
   */
  asRead?: true;
  /** The answer to a repeated call. */
  repeated: string;
};

/** States in which an attempt owns the record, so that its writes are allowed. */
const OWNED = ["handed_over", "scheduled", "on_backend"] as const satisfies readonly LifecycleState[];

const IN_FLOW = ["waiting", ...OWNED] as const satisfies readonly LifecycleState[];

const AT_REST = ["at_rest", "unplaced", "failed", "unclaimed"] as const satisfies readonly LifecycleState[];

/** The transitions by the repository's method. A call from any other state is refused and changes nothing. */
export const TRANSITIONS = {
  assignHost: {
    by: "the scheduler",
    from: ["waiting", "handed_over", "unclaimed"],
    to: ["scheduled"],
    fenced: true,
    repeated: "returns the record with the host of the first call",
  },
  beginCreate: {
    by: "the attempt, before it asks the backend",
    from: OWNED,
    to: ["on_backend"],
    fenced: true,
    repeated: "renews the deadline",
  },
  persistModelUpdate: {
    by: "the attempt, with the backend's answer",
    from: OWNED,
    to: ["on_backend"],
    fenced: true,
    repeated: "writes the same again",
  },
  saveProgress: {
    by: "the attempt, while it copies an image",
    from: OWNED,
    to: ["on_backend"],
    fenced: true,
    repeated: "never moves progress back",
  },
  markAvailable: {
    by: "the attempt, as the last write of a create",
    from: OWNED,
    to: ["at_rest"],
    fenced: true,
    repeated: "returns the record",
  },
  markError: {
    by: "the attempt, the rule on failed executions or the sweep",
    from: OWNED,
    to: ["failed", "unplaced"],
    fenced: true,
    repeated: "returns the record with the first fault",
  },
  releaseForReschedule: {
    by: "the attempt, after its backend was cleared",
    from: OWNED,
    to: ["handed_over"],
    fenced: true,
    repeated: "returns the record of the next attempt",
  },
  markUnschedulable: {
    by: "the scheduler, the dead letters or the sweep",
    from: ["waiting", "handed_over"],
    to: ["unplaced"],
    fenced: true,
    repeated: "returns the record with the first fault",
  },
  requestDelete: {
    by: "a user, during a create",
    from: [...IN_FLOW, "cancelled"],
    to: ["cancelled"],
    fenced: false,
    repeated: "keeps the first time",
  },
  beginRequestedDelete: {
    by: "the end of the attempt, or the sweep",
    from: ["cancelled", "removing", "removal_failed"],
    to: ["removing"],
    fenced: true,
    repeated: "renews the deadline",
  },
  beginDelete: {
    by: "a user, an unlocked volume",
    from: [...AT_REST, "removing", "removal_failed"],
    to: ["removing"],
    fenced: false,
    repeated: "renews the deadline",
  },
  markErrorDeleting: {
    by: "a removal that a backend refused",
    from: ["removing"],
    to: ["removal_failed"],
    fenced: true,
    repeated: "is refused by FenceLost",
  },
  finishDelete: {
    by: "a removal, as its last write",
    from: ["removing"],
    to: ["gone"],
    fenced: false,
    repeated: "finds nothing to do",
  },
  beginExtend: {
    by: "a user, an available volume",
    from: ["at_rest"],
    to: ["extending"],
    fenced: false,
    asRead: true,
    repeated: "returns the record of the same extension",
  },
  endExtend: {
    by: "the extension, or the sweep",
    from: ["extending"],
    to: ["at_rest"],
    fenced: false,
    repeated: "returns the record",
  },
  requeue: {
    by: "a redrive or a retry, if no backend may hold the volume",
    from: ["waiting", "unplaced", "failed", "unclaimed"],
    to: ["handed_over"],
    fenced: false,
    asRead: true,
    repeated: "returns the record of the same attempt",
  },
  resetStatus: {
    by: "an operator",
    from: [...IN_FLOW, ...AT_REST, "cancelled", "extending", "removal_failed", "taken_over"],
    to: ["at_rest", "failed"],
    fenced: false,
    repeated: "writes the same again",
  },
  forgetDeadline: {
    by: "the sweep",
    from: ["taken_over"],
    to: ["at_rest", "failed"],
    fenced: false,
    asRead: true,
    repeated: "changes nothing",
  },
} as const satisfies Readonly<Partial<Record<keyof VolumeRepository, Transition>>>;

/** A method that moves a record between states. */
export type TransitionName = keyof typeof TRANSITIONS;
