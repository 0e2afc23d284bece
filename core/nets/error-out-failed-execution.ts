import { claimFate, isClaimOf } from "../claims.ts";
import { isOvertaken } from "../errors.ts";
import { readFailure } from "../fault.ts";
import type { BackendRepository } from "../ports.ts";
import { attemptOfFence, type VolumeRecord } from "../records.ts";
import { isInFlow } from "../volume-lifecycle.ts";
import { closeClaim } from "../attempt/close-claim.ts";
import { endAttempt, type EndAttemptDependencies, type ErrorOutResult } from "../workflow/error-out-volume.ts";
import { ownContext } from "../attempt/own-context.ts";

/** Dependencies of the rule on failed executions. */
export type FailedExecutionDependencies = EndAttemptDependencies & { backends: Pick<BackendRepository, "claimOf"> };

/** EventBridge's data of an execution that failed, timed out or was aborted (detail of its status-change event). */
export type FailedExecution = {
  name: string;
  status: string;
  error: string | null;
  cause: string | null;
};

/** An execution's name is the fence of its attempt. */
const EXECUTION_NAME = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-a([1-9]\d*)$/i;

/**
 * The net below the workflow's own Catch branches: no Catch sees an execution that was aborted, that timed out, or that failed by
 * States.Runtime or States.DataLimitExceeded. An execution that ended by its own VolumeCreateFailed comes here too, and finds its volume in
 * `error` already. So does a second event after a first that died once the volume was marked. If the volume has left the flow by exactly
 * this execution, but its claim is still open, the notification is sent at once: the execution ended between its last write and the
 * notification.
 *
 * @throws NotificationNotSent when everything but the notification is done
 */
export async function errorOutFailedExecution(
  deps: FailedExecutionDependencies,
  execution: FailedExecution,
): Promise<ErrorOutResult> {
  const [, volumeId, attemptNumber] = EXECUTION_NAME.exec(execution.name) ?? [];
  if (volumeId === undefined || attemptNumber === undefined) {
    return { outcome: "left alone" };
  }
  const why = readFailure({
    Error: execution.error ?? `Execution${execution.status}`,
    Cause: execution.cause ?? `The execution ended as ${execution.status}.`,
  });
  try {
    const volume = await deps.volumes.get(volumeId);
    if (!isInFlow(volume) && volume.delete_requested_at === null) {
      return { outcome: await closeOwnClaim(deps, volume, execution.name) };
    }
    const owner = { volumeId, fence: execution.name, attempt: Number(attemptNumber) };
    return { outcome: await endAttempt(deps, owner, why, ownContext(volume)) };
  } catch (thrown) {
    if (isOvertaken(thrown)) {
      return { outcome: "left alone" };
    }
    throw thrown;
  }
}

async function closeOwnClaim(
  deps: FailedExecutionDependencies,
  volume: VolumeRecord,
  fence: string,
): Promise<ErrorOutResult["outcome"]> {
  const host = volume.fence === fence ? volume.host : null;
  const claim = host === null ? undefined : await deps.backends.claimOf(host, volume.id, attemptOfFence(fence));
  if (host === null || claim === undefined || !isClaimOf(volume, host, claim)) {
    return "left alone";
  }
  const open = { host, volumeId: volume.id, claim };
  await closeClaim(deps, open, claimFate(open, volume), volume);
  return volume.fault === null ? "created" : "error";
}
