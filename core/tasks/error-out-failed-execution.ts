import { FenceLost, VolumeNotFound } from "../errors.ts";
import { readFailure } from "../fault.ts";
import { isInFlow, type VolumeRecord } from "../records.ts";
import { type ErrorOutDependencies, errorOutAttempt, type ErrorOutResult } from "./error-out-volume.ts";
import { ownContext } from "./own-context.ts";

/** What EventBridge tells of an execution that failed, timed out or was aborted (detail of its status-change event). */
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
 * States.Runtime or States.DataLimitExceeded. An execution that ended by its own VolumeCreateFailed comes here too, and finds
 * its volume in `error` already. So does a second event after a first that died once the volume was marked: what it left open on
 * the backend is settled.
 */
export async function errorOutFailedExecution(
  deps: ErrorOutDependencies,
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
    if (!isInFlow(volume.status)) {
      await settleIfErrored(deps, volume, execution.name);
      return { outcome: "left alone" };
    }
    const owner = { volumeId, fence: execution.name, attempt: Number(attemptNumber) };
    await errorOutAttempt(deps, owner, why, ownContext(volume));
    return { outcome: "error" };
  } catch (thrown) {
    if (thrown instanceof FenceLost || thrown instanceof VolumeNotFound) {
      return { outcome: "left alone" };
    }
    throw thrown;
  }
}

async function settleIfErrored(deps: ErrorOutDependencies, volume: VolumeRecord, fence: string): Promise<void> {
  if (volume.status === "error" && volume.fence === fence && volume.host !== null) {
    await deps.backends.settle(volume.host, volume.id);
  }
}
