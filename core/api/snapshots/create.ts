import { holderOfQuota, positionOfSnapshot, usageOfSnapshot } from "../../projects.ts";
import type { SnapshotRecord, VolumeRecord } from "../../records.ts";
import { requireRoomForSnapshot } from "../../snapshots/snapshot-details.ts";
import { phaseDeadline } from "../../settings/time-bounds.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { badRequest, notFound } from "../errors.ts";
import type { Answer, Call } from "../http.ts";
import { booleanOf } from "../parameters.ts";
import { quotaOf } from "../quotas/limits.ts";
import { reserve } from "../quotas/reserve.ts";
import { snapshotSummary } from "../views/snapshots.ts";
import { visibleVolume } from "../volumes/show.ts";

type CreateSnapshotBody = {
  snapshot: {
    volume_id: string | null;
    name?: string | null;
    display_name?: string | null;
    description?: string | null;
    force?: boolean | string | null;
    metadata?: Record<string, string> | null;
  };
};

/** From here on `force` says nothing, and must not be false. */
const FORCE_IGNORED = 66;

const FORCE_INVALID =
  "Since microversion 3.66 the 'force' flag is invalid for this request.  For backward compatability, however, when the 'force' flag is " +
  "passed with a value evaluating to True, it is silently ignored.";

/**
 * `POST /snapshots`: reserves the quota, puts list entry and record, and starts CreateSnapshot, which finds the record.
 *
 * Interrupted before the record: as a create of a volume.
 * Interrupted after it: the sweep puts the snapshot in `error` at its deadline.
 *
 * @throws what starting the function threw; the snapshot reads `error` then, and `available` if the function was started all the same
 */
export async function createSnapshot(deps: ApiDependencies, call: Call): Promise<Answer> {
  const { snapshot: body } = call.body as CreateSnapshotBody;
  if (body.volume_id === null) {
    throw notFound("Volume None could not be found.");
  }
  const volume = await visibleVolume(deps, call.caller, body.volume_id);
  requireSnapshotAllowed(volume, isForced(call, body.force));
  const snapshot = await recordSnapshot(deps, call, volume, body);
  const { id: snapshot_id, volume_id, project_id, user_id, display_name: name } = snapshot;
  try {
    await deps.work.start("CreateSnapshot", { snapshot_id, volume_id, name, project_id, user_id, recorded: true });
  } catch (error) {
    // The caller gets the first error.
    await deps.snapshots.markError(snapshot_id).catch(() => {});
    throw error;
  }
  return { status: 202, body: { snapshot: snapshotSummary(call, snapshot) } };
}

function isForced({ version }: Call, force: boolean | string | null | undefined): boolean {
  const asked = force === undefined || force === null ? undefined : booleanOf(String(force));
  if (version >= FORCE_IGNORED && asked === false) {
    throw badRequest(FORCE_INVALID);
  }
  return version >= FORCE_IGNORED || asked === true;
}

/** An attached volume may change while its snapshot is taken, so the caller has to insist. */
function requireSnapshotAllowed(
  volume: VolumeRecord,
  forced: boolean,
): asserts volume is VolumeRecord & { host: string } {
  if (volume.host === null) {
    throw badRequest("Invalid volume: volume is not assigned to a host");
  }
  if (volume.status !== "available" && !(forced && volume.status === "in-use")) {
    throw badRequest(
      `Invalid volume: Volume ${volume.id} status must be available, but current status is: ${volume.status}.`,
    );
  }
}

async function recordSnapshot(
  deps: ApiDependencies,
  call: Call,
  volume: VolumeRecord & { host: string },
  body: CreateSnapshotBody["snapshot"],
): Promise<SnapshotRecord> {
  const { projects, snapshots } = deps;
  const { project_id: projectId } = volume;
  const asked = askedSnapshot(deps, call, volume, body);
  requireRoomForSnapshot(asked);
  const { limits } = await quotaOf(projects, projectId);
  const holder = holderOfQuota("snapshot", asked.id);
  const usage = usageOfSnapshot(volume.size, volume.volume_type_id);
  const createdAt = await reserve(deps, { projectId, holder, usage, limits }, null);
  const snapshot = { ...asked, created_at: createdAt };
  await projects.enter({ ...positionOfSnapshot(snapshot), name: snapshot.display_name });
  await snapshots.create(snapshot);
  await projects.confirm(projectId, holder);
  return snapshot;
}

/** The record that is asked for; the reservation of its quota says when it is created. */
function askedSnapshot(
  deps: ApiDependencies,
  call: Call,
  volume: VolumeRecord & { host: string },
  body: CreateSnapshotBody["snapshot"],
): SnapshotRecord {
  return {
    id: deps.newId(),
    volume_id: volume.id,
    project_id: volume.project_id,
    user_id: call.caller.userId,
    status: "creating",
    display_name: (body.name === undefined ? body.display_name : body.name) ?? null,
    volume_size: volume.size,
    host: volume.host,
    provider_location: null,
    glance_metadata: volume.glance_metadata,
    created_at: "",
    ...(body.description != null && { display_description: body.description }),
    metadata: body.metadata ?? {},
    ...(volume.volume_type_id !== null && { volume_type_id: volume.volume_type_id }),
    use_quota: true,
    deadline: phaseDeadline(deps, "creating").toISOString(),
  };
}
