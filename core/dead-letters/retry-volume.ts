import { createMessage } from "../requests/create-request.ts";
import { InvalidVolume } from "../errors.ts";
import type { SchedulerQueue, VolumeRepository, VolumeTypeRepository } from "../ports.ts";
import { fenceOf } from "../records.ts";
import { redrivenRetry } from "../scheduling/retry.ts";
import { latestAttempt, requeueIdle, type RequeueDependencies, requireIdle } from "./requeue-volume.ts";

/** Dependencies of a retry. */
export type RetryDependencies = RequeueDependencies & {
  volumes: Pick<VolumeRepository, "get" | "requeue">;
  volumeTypes: Pick<VolumeTypeRepository, "get">;
  queue: Pick<SchedulerQueue, "send">;
};

/** The attempt that a retry made. */
export type RetryResult = { volumeId: string; attempt: number };

/**
 * Asks for a volume in `error` again, as a new attempt, by the request that its record keeps. The ledger stays, the attempts are
 * numbered on, and the scheduler counts its retries from the start. The type's extra specs are those of today.
 *
 * Repeated: refused, because the first retry has the volume.
 * Interrupted before the message was sent: the volume waits for the scheduler until its deadline, then the sweep puts it in `error`, and it
 *   can be retried.
 *
 * @throws VolumeNotFound; VolumeTypeNotFound; InvalidVolume when the record keeps no request, or does not allow another attempt
 */
export async function retryVolume(deps: RetryDependencies, volumeId: string): Promise<RetryResult> {
  const volume = await deps.volumes.get(volumeId);
  if (volume.status !== "error") {
    throw new InvalidVolume(`volume ${volumeId} is ${volume.status}; only one in error can be retried`);
  }
  if (volume.request === undefined) {
    throw new InvalidVolume(`the record of volume ${volumeId} does not keep its request; create another volume`);
  }
  await requireIdle(deps.backends, volume);
  const { volume_type_id: typeId } = volume;
  const type = typeId === null ? null : await deps.volumeTypes.get(typeId);
  const attempt = latestAttempt(volume) + 1;
  await requeueIdle(deps, volume, { volumeId, attempt, fence: fenceOf(volumeId, attempt) });
  const message = createMessage({ ...volume, status: "creating" }, type);
  await deps.queue.send({
    ...message,
    filter_properties: { ...message.filter_properties, retry: redrivenRetry(attempt) },
  });
  return { volumeId, attempt };
}
