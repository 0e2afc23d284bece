import type { VolumeRepository } from "./ports.ts";
import type { Fault, VolumeRecord } from "./records.ts";
import { isIn, isOwnedBy, type LifecycleState, wasCreatedBy } from "./volume-lifecycle.ts";

/**
 * The transitions between the states of a volume's record. The store renders its conditions of this table
 * (`adapters/dynamodb/volume-conditions.ts`), and docs/lifecycle.md is generated from it.
 */

/** One method of the repository that moves a record from state to state. */
export type Transition = {
  from: readonly LifecycleState[];
  /** The possible states after it; `gone` when there is no record any more. */
  to: readonly (LifecycleState | "gone")[];
  /** Whether only the attempt that the record's fence names may do it. A record without a fence has states of its own for that. */
  fenced: boolean;
  /** Whether the caller decides by the record that it has read: the store checks that it is still the same, in addition. */
  asRead?: true;
  /**
   * Whether a record that refuses the call shows that the same call was made before: by the fence that it gave the record, by the
   * extension or by the fault. Absent where `from` has the states after the call, and where a repeated call is refused.
   */
  isRepeat?: (volume: VolumeRecord, by: never) => boolean;
};

/** States in which an attempt owns the record, so that its writes are allowed. */
const OWNED = ["handed_over", "scheduled", "on_backend"] as const satisfies readonly LifecycleState[];

const IN_FLOW = ["waiting", ...OWNED] as const satisfies readonly LifecycleState[];

const AT_REST = ["at_rest", "unplaced", "failed", "unclaimed"] as const satisfies readonly LifecycleState[];

/** The transitions by the repository's method. A call from any other state is refused and changes nothing. */
export const TRANSITIONS = {
  assignHost: {
    from: ["waiting", "handed_over", "unclaimed"],
    to: ["scheduled"],
    fenced: true,
    isRepeat: (volume, fence: string) => volume.fence === fence && volume.host !== null,
  },
  beginCreate: {
    from: OWNED,
    to: ["on_backend"],
    fenced: true,
  },
  persistModelUpdate: {
    from: OWNED,
    to: ["on_backend"],
    fenced: true,
  },
  saveProgress: {
    from: OWNED,
    to: ["on_backend"],
    fenced: true,
    isRepeat: (volume, fence: string) => volume.fence === fence && volume.progress !== null && isIn(OWNED, volume),
  },
  markBootable: {
    from: OWNED,
    to: OWNED,
    fenced: true,
  },
  markAvailable: {
    from: OWNED,
    to: ["at_rest"],
    fenced: true,
    isRepeat: wasCreatedBy,
  },
  markError: {
    from: OWNED,
    to: ["failed", "unplaced"],
    fenced: true,
    isRepeat: (volume, fence: string) => volume.fence === fence && volume.status === "error",
  },
  releaseForReschedule: {
    from: OWNED,
    to: ["handed_over"],
    fenced: true,
    isRepeat: (volume, nextFence: string) => volume.fence === nextFence,
  },
  markUnschedulable: {
    from: ["waiting", "handed_over"],
    to: ["unplaced"],
    fenced: true,
    isRepeat: ({ fault, fence, status }, { error, of }: { error: string; of: string | null }) =>
      (fence === null || fence === of) && status === "error" && fault?.error === error,
  },
  requestDelete: {
    from: [...IN_FLOW, "cancelled"],
    to: ["cancelled"],
    fenced: false,
  },
  beginRequestedDelete: {
    from: ["cancelled", "removing", "removal_failed"],
    to: ["removing"],
    fenced: true,
  },
  beginDelete: {
    from: [...AT_REST, "removing", "removal_failed"],
    to: ["removing"],
    fenced: false,
  },
  markErrorDeleting: {
    from: ["removing"],
    to: ["removal_failed"],
    fenced: true,
    isRepeat: ({ status, fault: stored }, { at, cause, error }: Fault) =>
      status === "error_deleting" && stored?.at === at && stored.error === error && stored.cause === cause,
  },
  finishDelete: {
    from: ["removing"],
    to: ["gone"],
    fenced: false,
  },
  beginExtend: {
    from: ["at_rest"],
    to: ["extending"],
    fenced: false,
    asRead: true,
    isRepeat: (volume, id: string) => volume.extension?.id === id,
  },
  endExtend: {
    from: ["extending"],
    to: ["at_rest"],
    fenced: false,
    isRepeat: ({ extension }, number: number) => extension?.number === number && extension.outcome !== undefined,
  },
  requeue: {
    from: ["waiting", ...AT_REST],
    to: ["handed_over"],
    fenced: false,
    asRead: true,
    isRepeat: (volume, nextFence: string) => isOwnedBy(volume, nextFence),
  },
  resetStatus: {
    from: [...IN_FLOW, ...AT_REST, "cancelled", "extending", "removal_failed", "taken_over"],
    to: ["at_rest", "failed"],
    fenced: false,
  },
  forgetDeadline: {
    from: ["taken_over"],
    to: ["at_rest", "failed"],
    fenced: false,
    asRead: true,
  },
} as const satisfies Readonly<Partial<Record<keyof VolumeRepository, Transition>>>;

/** A method that moves a record between states. */
export type TransitionName = keyof typeof TRANSITIONS;

/** A state from which that transition is possible. */
export type From<Name extends TransitionName> = (typeof TRANSITIONS)[Name]["from"][number];

/** The caller of each transition, part of the product or a person, and the answer to a repeated call: for people, so no function has them. */
export const TRANSITION_TEXTS = {
  assignHost: { by: "the scheduler", repeated: "returns the record with the host of the first call" },
  beginCreate: { by: "the attempt, before it asks the backend", repeated: "renews the deadline" },
  persistModelUpdate: { by: "the attempt, with the backend's answer", repeated: "writes the same again" },
  saveProgress: { by: "the attempt, while it copies an image", repeated: "never moves progress back" },
  markBootable: { by: "the attempt, with the metadata of its image", repeated: "writes the same again" },
  markAvailable: {
    by: "the attempt, as the last write of a create",
    repeated: "returns the record, whatever status its users gave it since",
  },
  markError: {
    by: "the attempt, the rule on failed executions or the sweep",
    repeated: "returns the record with the first fault",
  },
  releaseForReschedule: {
    by: "the attempt, after its backend was cleared",
    repeated: "returns the record of the next attempt",
  },
  markUnschedulable: {
    by: "the scheduler, the dead letters or the sweep",
    repeated: "returns the record with the first fault",
  },
  requestDelete: { by: "a user, during a create", repeated: "keeps the first time" },
  beginRequestedDelete: { by: "the end of the attempt, or the sweep", repeated: "renews the deadline" },
  beginDelete: { by: "a user, an unlocked volume", repeated: "renews the deadline" },
  markErrorDeleting: { by: "a removal that a backend refused", repeated: "changes nothing" },
  finishDelete: { by: "a removal, as its last write", repeated: "finds nothing to do" },
  beginExtend: { by: "a user, an available volume", repeated: "returns the record of the same extension" },
  endExtend: { by: "the extension, or the sweep", repeated: "returns the record" },
  requeue: {
    by: "a redrive or a retry, if no backend may hold the volume",
    repeated: "returns the record of the same attempt",
  },
  resetStatus: { by: "an operator", repeated: "writes the same again" },
  forgetDeadline: { by: "the sweep", repeated: "changes nothing" },
} as const satisfies Readonly<Record<TransitionName, { by: string; repeated: string }>>;
