import { attemptOfFence, isFlowStatus, type VolumeRecord } from "../core/records.ts";
import { isInFlow, lifecycleOf } from "../core/volume-lifecycle.ts";
import { IMAGE_CACHE_PROJECT_ID } from "../core/image-cache/image-cache.ts";
import { PHASE_BOUND_SECONDS } from "../core/settings/time-bounds.ts";
import type { Account } from "./account.ts";
import type { Execution } from "./executions.ts";

/** Moments of a volume's life that the invariants measure. */
export type Life = {
  /** Every write of its record in the flow: progress. */
  progressMs: number[];
  /** When it left the flow. */
  decidedMs: number | null;
};

/**
 * Looks at each write of a volume's record as it happens: whether the writer owned it, and whether the record only moved forward. The
 * result of a write does not show its writer.
 */
export class WriteWatch {
  readonly lives = new Map<string, Life>();
  /** Records as they were when they were removed. */
  readonly removed = new Map<string, VolumeRecord>();
  readonly #account: Account;

  constructor(account: Account) {
    this.#account = account;
  }

  /** @param writer the execution on whose behalf the call is made, if it is one's */
  async around(
    call: string,
    effect: () => Promise<unknown>,
    parameters: readonly unknown[],
    writer?: Execution,
  ): Promise<unknown> {
    if (writer !== undefined && /^(volumes|snapshots)\.countLock$/.test(call)) {
      return this.#judgeLock(call, await effect(), writer);
    }
    if (!call.startsWith("volumes.")) {
      return effect();
    }
    const { records } = this.#account.stores.volumes;
    const mark = records.mark();
    try {
      return await effect();
    } finally {
      for (const [before, after] of records.changedSince(mark)) {
        this.#judge(call, ownerIn(parameters), before, after);
        this.#judgeWriter(call, writer, before);
      }
    }
  }

  #judge(
    call: string,
    fence: string | undefined,
    before: VolumeRecord | undefined,
    after: VolumeRecord | undefined,
  ): void {
    this.#follow(before, after);
    this.#judgeDeadline(call, after);
    if (before !== undefined && after === undefined) {
      this.removed.set(before.id, before);
    }
    if (before === undefined || after === undefined) {
      return;
    }
    const what = `${call} by ${fence ?? "nobody"} on ${before.id}, which was ${before.status} of ${before.fence ?? "nobody"}`;
    if (fence !== undefined && before.fence !== null && before.fence !== fence) {
      this.#account.breach(2, `${what}: the writer did not own the record`);
    }
    if (attemptOfFence(after.fence) < attemptOfFence(before.fence)) {
      this.#account.breach(2, `${what}: the record went back to attempt ${attemptOfFence(after.fence)}`);
    }
    const wasStray = lifecycleOf(before) === "unclaimed";
    const isReset = call === "volumes.resetStatus";
    const isAskedAgain = call === "volumes.requeue";
    if (isFlowStatus(after.status) && !isFlowStatus(before.status) && !wasStray && !isReset && !isAskedAgain) {
      this.#account.breach(2, `${what}: the record came back into the flow as ${after.status}`);
    }
    if (isOperators(before) && FLOW_CALLS.test(call)) {
      this.#account.breach(2, `${what}: an operator had taken the record`);
    }
    if (before.launched_at !== null && before.status !== "error" && after.status === "error" && !isReset) {
      this.#account.breach(2, `${what}: a volume that was available went to error`);
    }
  }

  /**
   * Every record in the flow has a deadline within the longest bound, at which the sweep takes it whatever dies next. A cached volume has
   * the lease of its entry instead.
   */
  #judgeDeadline(call: string, after: VolumeRecord | undefined): void {
    const isCached = after?.project_id === IMAGE_CACHE_PROJECT_ID;
    if (
      after === undefined ||
      isCached ||
      after.reset_at !== undefined ||
      (after.fence === null && after.fault === null)
    ) {
      return;
    }
    const { id, status, deadline } = after;
    if (isFlowStatus(status) && deadline === null) {
      this.#account.breach(1, `${call} leaves ${id} ${status} without a deadline`);
    }
    const longestMs = Math.max(...Object.values(PHASE_BOUND_SECONDS)) * 1000;
    if (deadline !== null && Date.parse(deadline) > this.#account.time.nowMs + longestMs) {
      this.#account.breach(1, `${call} leaves ${id} ${status} until ${deadline}, later than any bound allows`);
    }
  }

  /**
   * Whether the execution that writes owns the record, whatever fence the call itself names. It may write one other record as well: a
   * lock on its source, and the volume of the image cache that it fills.
   */
  #judgeWriter(call: string, writer: Execution | undefined, before: VolumeRecord | undefined): void {
    if (writer === undefined || before === undefined) {
      return;
    }
    const isItsVolume = before.id === writer.input.volume_id;
    if (isItsVolume && before.fence !== writer.name) {
      this.#account.breach(
        2,
        `${call} by ${writer.name} on ${before.id}, which belonged to ${before.fence ?? "nobody"}`,
      );
    }
    const mayBeAnother = /^volumes\.(count|forget)Lock$/.test(call) || before.project_id === IMAGE_CACHE_PROJECT_ID;
    if (!isItsVolume && !mayBeAnother) {
      this.#account.breach(2, `${call} by ${writer.name} on ${before.id}, which is not its volume`);
    }
  }

  /** A source that was locked is used: it must be of the request's project. */
  #judgeLock(call: string, locked: unknown, { name, input }: Execution): unknown {
    const source = locked as { id: string; project_id: string } | undefined;
    if (source === undefined || source.project_id === IMAGE_CACHE_PROJECT_ID) {
      return locked;
    }
    const { is_admin: isAdmin, project_id: asker } = input.context;
    if (!isAdmin && source.project_id !== asker) {
      this.#account.breach(10, `${call} by ${name} of ${asker ?? "nobody"} locks ${source.id} of ${source.project_id}`);
    }
    return locked;
  }

  #follow(before: VolumeRecord | undefined, after: VolumeRecord | undefined): void {
    const id = after?.id ?? before?.id ?? "";
    const life = this.lives.get(id) ?? { progressMs: [], decidedMs: null };
    this.lives.set(id, life);
    const { nowMs } = this.#account.time;
    if (before !== undefined && isInFlow(before)) {
      life.progressMs.push(nowMs);
    }
    life.decidedMs = after !== undefined && isInFlow(after) ? null : (life.decidedMs ?? nowMs);
  }
}

/** Transitions of the flow, of extensions and of removals in progress: none of them is for a record that an operator has taken. */
const FLOW_CALLS =
  /^volumes\.(assignHost|beginCreate|persistModelUpdate|saveProgress|mark\w+|releaseForReschedule|forgetDeadline|keepExtensionClaim|endExtend|beginRequestedDelete|finishDelete)$/;

function isOperators({ deadline, reset_at: resetAt }: VolumeRecord): boolean {
  return resetAt !== undefined && deadline === null;
}

function ownerIn([first]: readonly unknown[]): string | undefined {
  const fence = typeof first === "object" && first !== null && "fence" in first ? first.fence : undefined;
  return typeof fence === "string" ? fence : undefined;
}
