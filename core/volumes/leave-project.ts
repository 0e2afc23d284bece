import { ifThere } from "../if-there.ts";
import type { Clock, VolumeRepository } from "../ports.ts";
import {
  attachmentPosition,
  countedSize,
  holderOfQuota,
  positionOfVolume,
  type ProjectRepository,
  usageOfVolume,
} from "../projects.ts";
import { deadlineAfter } from "../settings/time-bounds.ts";
import type { VolumeRecord } from "../records.ts";

/** The effects of removing a volume's record on its project. */
export type ProjectMembership = {
  /** Removes the record by `remove`, with the required steps before and after it. May be repeated, like the removal itself. */
  end(volume: VolumeRecord, remove: () => Promise<void>): Promise<void>;
};

/** Dependencies of {@link membershipOf}. */
export type MembershipDependencies = {
  projects: Pick<ProjectRepository, "giveBack" | "leave" | "claimName">;
  clock: Clock;
  volumes: Pick<VolumeRepository, "get">;
};

/**
 * How long a deleted volume's id is remembered that was made with an Idempotency-Key: no other volume may have it before the names of its
 * executions are free again (90 days in Step Functions).
 */
const KEY_SECONDS = 91 * 86_400;

/** Of volumes that are in no project's list and count in no quota, such as those of the image-volume cache. */
export const UNLISTED: ProjectMembership = { end: (_volume, remove) => remove() };

/**
 * For a project's volumes: the quota is given back before the record is removed, and the list's entry is removed after it. An entry without
 * a record is passed over by lists.
 */
export function membershipOf(deps: MembershipDependencies): ProjectMembership {
  return {
    end: async (volume, remove) => {
      if (volume.use_quota === true) {
        const holder = holderOfQuota("volume", volume.id);
        const isThere = async (): Promise<boolean> => (await ifThere(deps.volumes.get(volume.id))) !== undefined;
        const usage = usageOfVolume({ ...volume, size: countedSize(volume) });
        await deps.projects.giveBack(volume.project_id, holder, usage, isThere);
      }
      if (volume.request_digest !== undefined) {
        const expiresAt = deadlineAfter(deps.clock.now(), KEY_SECONDS);
        await deps.projects.claimName("deleted_volume", volume.id, volume.request_digest, { expiresAt });
      }
      await remove();
      for (const [id, { created_at: at }] of Object.entries(volume.attachments ?? {})) {
        await deps.projects.leave(attachmentPosition(id, at));
      }
      await deps.projects.leave(positionOfVolume(volume));
    },
  };
}
