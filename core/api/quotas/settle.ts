import { ifThere } from "../../if-there.ts";
import type { Clock, SnapshotRepository, VolumeRepository } from "../../ports.ts";
import type { Movement, ProjectQuota, ProjectRepository } from "../../projects.ts";
import { deadlineAfter } from "../../settings/time-bounds.ts";

/** A movement that is older was left behind: the function that made it has ended long ago. */
export const LEFT_OVER_SECONDS = 900;

/** Dependencies of settling. */
export type SettleDependencies = {
  projects: Pick<ProjectRepository, "confirm" | "cancel">;
  volumes: Pick<VolumeRepository, "get" | "getMany">;
  snapshots: Pick<SnapshotRepository, "get">;
  clock: Clock;
};

/**
 * Settles the remains of interrupted requests in a project's quota, by the records: a reservation stays if the record exists, and a return
 * is forgotten if it does not.
 *
 * Repeated, or twice at once: each movement is settled once.
 *
 * @returns whether anything was settled, so that what found no room may be tried again
 */
export async function settleLeftOvers(
  deps: SettleDependencies,
  projectId: string,
  { moving }: Pick<ProjectQuota, "moving">,
): Promise<boolean> {
  const now = deps.clock.now();
  let settled = false;
  for (const [holder, { kind, at }] of Object.entries(moving)) {
    if (deadlineAfter(new Date(at), LEFT_OVER_SECONDS) > now) {
      continue;
    }
    if (/^(extension|retype):/.test(holder)) {
      await settleChange(deps, projectId, holder, kind);
      settled = true;
      continue;
    }
    const createdAt = await createdAtOf(deps, holder);
    if (kind === "given_back" && createdAt !== undefined) {
      // Its removal continues, and gives back nothing more.
      continue;
    }
    // A record of another time was made by another reservation of the same holder.
    if (kind === "taken" && createdAt !== at) {
      await deps.projects.cancel(projectId, holder);
    } else {
      await deps.projects.confirm(projectId, holder);
    }
    settled = true;
  }
  return settled;
}

/**
 * The amount of an extension or a retype stays if the record has the extension or the type; a return is forgotten, because the record was
 * written before.
 */
async function settleChange(
  { projects, volumes }: SettleDependencies,
  projectId: string,
  holder: string,
  kind: Movement["kind"],
): Promise<void> {
  const [what, volumeId = "", changeId = ""] = holder.split(":");
  const found = (await volumes.getMany([volumeId])).get(volumeId);
  const recorded = what === "retype" ? (found?.volume_type_id ?? "") : found?.extension?.id;
  const isRecorded = kind === "given_back" || (found !== undefined && recorded === changeId);
  await (isRecorded ? projects.confirm(projectId, holder) : projects.cancel(projectId, holder));
}

/** When the holder's record was made; undefined when there is none. */
async function createdAtOf({ volumes, snapshots }: SettleDependencies, holder: string): Promise<string | undefined> {
  const [kind, id = ""] = holder.split(":");
  const found = await ifThere<{ created_at: string }>(kind === "snapshot" ? snapshots.get(id) : volumes.get(id));
  return found?.created_at;
}
