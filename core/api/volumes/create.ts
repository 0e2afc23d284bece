import { buildCreateRequest, createMessage } from "../../requests/create-request.ts";
import { describeError, FenceLost, InvalidInput } from "../../errors.ts";
import { ifThere } from "../../if-there.ts";
import { holderOfQuota, positionOfVolume, UNLIMITED, usageOfVolume } from "../../projects.ts";
import type { VolumeRecord, VolumeTypeRecord } from "../../records.ts";
import { phaseDeadline } from "../../settings/time-bounds.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { ApiError, overLimit } from "../errors.ts";
import type { Answer, Call } from "../http.ts";
import { quotaOfCreate } from "../quotas/limits.ts";
import { reserve } from "../quotas/reserve.ts";
import { volumeDetail } from "../views/volumes.ts";
import { idOfKey, requireSameRequest, requestDigest } from "./idempotency.ts";
import { type ApiCreateInput, type CreateVolumeBody, readCreateRequest } from "./create-input.ts";
import { viewContext } from "./show.ts";

/**
 * `POST /volumes`: Cinder's API flow of a create (cinder/volume/flows/api/create_volume.py: ExtractVolumeRequestTask, QuotaReserveTask,
 * EntryCreateTask, QuotaCommitTask, VolumeCastTask).
 *
 *   reserve the quota ─> list entry ─> record ─> confirm the quota and cast
 *
 * Interrupted after the reservation or the entry: there is no volume; the reservation is cancelled when a later request settles the quota,
 * and lists skip the entry.
 * Interrupted after the record: the volume ends in `error` at its deadline, unless the request comes again with its key. Repeated with the
 * same Idempotency-Key: the same volume; missing parts are created.
 *
 * @throws ApiError 500 when the cast fails. Without a key no volume is left then, or one that the caller finds in the list in `deleting`;
 *   with one the volume waits for the request to come again
 */
export async function createVolume(deps: ApiDependencies, call: Call): Promise<Answer> {
  const key = call.headers["idempotency-key"];
  const body = call.body as CreateVolumeBody;
  const digest = key === undefined ? undefined : requestDigest(body);
  const id = key === undefined ? deps.newId() : idOfKey(call.caller.projectId, key);
  const [earlier, quota] = await Promise.all([
    key === undefined ? undefined : findRecorded(deps, id, digest),
    quotaOfCreate(deps.projects, call.caller.projectId, key === undefined ? undefined : id),
  ]);
  if (earlier === undefined && quota.isDeleted) {
    throw deletedBefore(id);
  }
  const { volume, types } =
    earlier !== undefined && !isWaitingForItsCast(earlier) ? { volume: earlier, types: [] } : await makeVolume();
  return { status: 202, body: { volume: volumeDetail(call, volume, await viewContext(deps, [volume], types)) } };

  async function makeVolume(): Promise<{ volume: VolumeRecord; types: VolumeTypeRecord[] }> {
    const input = {
      ...(await readCreateRequest(deps, call, body)),
      ...(digest !== undefined && { requestDigest: digest }),
    };
    const record = earlier ?? (await recordOnce(deps, call, { id, input, limits: quota.limits }));
    await cast(deps, record, input.volumeType);
    return { volume: record, types: [input.volumeType] };
  }
}

/** The volume that an earlier request with the same key has made. @throws ApiError 422 when that request was another one */
async function findRecorded(
  deps: ApiDependencies,
  id: string,
  digest: string | undefined,
): Promise<VolumeRecord | undefined> {
  const volume = await ifThere(deps.volumes.get(id));
  if (volume !== undefined) {
    requireSameRequest(volume, digest);
  }
  return volume;
}

/** As {@link findRecorded}. @throws ApiError 409 when the volume was deleted */
async function findEarlier(
  deps: ApiDependencies,
  id: string,
  digest: string | undefined,
): Promise<VolumeRecord | undefined> {
  const volume = await findRecorded(deps, id, digest);
  if (volume === undefined && (await isDeleted(deps, id))) {
    throw deletedBefore(id);
  }
  return volume;
}

/** No attempt has taken the record, so its message may never have been sent. */
function isWaitingForItsCast({ phase, fence, status }: VolumeRecord): boolean {
  return phase === "queued" && fence === null && status === "creating";
}

/** The volume to create, with the limits of its project's quota. */
type WantedVolume = {
  id: string;
  input: ApiCreateInput & { requestDigest?: string };
  limits: Readonly<Record<string, number>>;
};

/** Records the volume, or finds the one that another request with the same key has recorded in between. */
async function recordOnce(deps: ApiDependencies, call: Call, wanted: WantedVolume): Promise<VolumeRecord> {
  const { id, input } = wanted;
  const record = await enterVolume(deps, call, wanted);
  try {
    await deps.volumes.create(record);
  } catch (error) {
    const found = error instanceof InvalidInput ? await findEarlier(deps, id, input.requestDigest) : undefined;
    if (found === undefined) {
      throw error;
    }
    if (found.created_at !== record.created_at) {
      // The other request's reservation was confirmed before this one was made, so this one counts the volume again.
      await deps.projects.cancel(record.project_id, holderOfQuota("volume", id), record.created_at);
      await deps.projects.removeEntry(positionOfVolume(record));
    }
    return found;
  }
  if (input.requestDigest !== undefined && (await isDeleted(deps, id))) {
    await takeBack(deps, record);
    throw deletedBefore(id);
  }
  return record;
}

/**
 * The volume of the key was made, and deleted, by others while this request was about to record it: what the deletion has given back and
 * removed is put there again, for the deletion of this record.
 */
async function takeBack(deps: ApiDependencies, record: VolumeRecord): Promise<void> {
  const { project_id: projectId, id } = record;
  await deps.projects.enter({ ...positionOfVolume(record), name: record.display_name });
  const holder = holderOfQuota("volume", id);
  await deps.projects.reserve({ holder, projectId, usage: usageOfVolume(record), limits: {} });
  await revert(deps, record);
}

async function isDeleted({ projects }: ApiDependencies, id: string): Promise<boolean> {
  return (await projects.findName("deleted_volume", id)) !== undefined;
}

function deletedBefore(id: string): ApiError {
  return new ApiError(409, `Idempotency-Key was used for volume ${id}, which was deleted. Use another key.`);
}

/** Reserves and lists the volume. Returns the record to put. */
async function enterVolume(
  deps: ApiDependencies,
  call: Call,
  { id, input, limits }: WantedVolume,
): Promise<VolumeRecord> {
  const { projects } = deps;
  const { projectId } = call.caller;
  const usage = usageOfVolume({ size: input.sizeGib, volume_type_id: input.volumeType.id });
  requireAllowedSize(input.sizeGib, limits["per_volume_gigabytes"] ?? UNLIMITED);
  const holder = holderOfQuota("volume", id);
  const reservedAt = await reserve(deps, { holder, projectId, usage, limits }, input.volumeType);
  // The time of the reservation, which a repeated request finds: it is part of the entry's key.
  const { record } = buildCreateRequest(input, new Date(reservedAt), {
    volumeId: id,
    requestId: call.requestId,
  });
  await projects.enter({ ...positionOfVolume(record), name: record.display_name });
  return record;
}

function requireAllowedSize(sizeGib: number, limit: number): void {
  if (limit !== UNLIMITED && sizeGib > limit) {
    throw overLimit(
      `VolumeSizeExceedsLimit: Requested volume size ${sizeGib}G is larger than maximum allowed limit ${limit}G.`,
    );
  }
}

/** Sends the cast; the quota's reservation is confirmed at the same time, because the record exists. */
async function cast(deps: ApiDependencies, record: VolumeRecord, type: VolumeTypeRecord): Promise<void> {
  const confirmed = deps.projects
    .confirm(record.project_id, holderOfQuota("volume", record.id), record.created_at)
    // The rest is settled later, by the record.
    .catch(() => {});
  try {
    await deps.queue.send(createMessage(record, type));
  } catch (error) {
    // A request with a key comes again, and sends the cast of the record that is there.
    if (record.request_digest === undefined) {
      await revert(deps, record);
    }
    throw new ApiError(500, `The volume could not be scheduled: ${describeError(error).name}`);
  } finally {
    await confirmed;
  }
}

/**
 * Takes a volume back whose cast failed. A cast whose answer was lost may have arrived: a volume that an attempt has by then is removed
 * by the end of that attempt.
 */
async function revert(deps: ApiDependencies, { id }: VolumeRecord): Promise<void> {
  try {
    await deps.volumes.requestDelete(id, phaseDeadline(deps, "queued"));
    await deps.work.start("DeleteVolume", { volume_id: id });
  } catch (error) {
    if (!(error instanceof FenceLost)) {
      // The deadline of the record ends it.
      return;
    }
  }
}
