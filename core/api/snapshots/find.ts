import { describeError } from "../../errors.ts";
import type { SnapshotRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { notFound } from "../errors.ts";
import type { Caller } from "../http.ts";
import { isUuidLike } from "../schemas/types.ts";

/** The snapshot of an id that the caller may see. @throws ApiError 404, also for another project's */
export async function visibleSnapshot(
  { snapshots }: Pick<ApiDependencies, "snapshots">,
  caller: Caller,
  id: string,
): Promise<SnapshotRecord> {
  const missing = notFound(`Snapshot ${id.slice(0, 255)} could not be found.`);
  if (!isUuidLike(id)) {
    throw missing;
  }
  let snapshot: SnapshotRecord;
  try {
    snapshot = await snapshots.get(id);
  } catch (error) {
    throw describeError(error).name === "SnapshotNotFound" ? missing : error;
  }
  if (!caller.isAdmin && snapshot.project_id !== caller.projectId) {
    throw missing;
  }
  return snapshot;
}
