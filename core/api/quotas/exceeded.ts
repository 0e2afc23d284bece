import type { ProjectQuota, Usage } from "../../projects.ts";
import type { VolumeTypeRecord } from "../../records.ts";
import { type ApiError, overLimit } from "../errors.ts";
import { shownResource } from "./limits.ts";

/** The request, with the effective limits. */
export type QuotaRequest = {
  usage: Usage;
  limits: Readonly<Record<string, number>>;
  type: Pick<VolumeTypeRecord, "id" | "name"> | null;
};

/** 413 with the name and the message of Cinder's exception (`process_reserve_over_quota` of cinder/quota_utils.py). */
export function quotaExceeded(
  { exceeded, quota }: { exceeded: string; quota: ProjectQuota },
  { usage, limits, type }: QuotaRequest,
): ApiError {
  const name = shownResource(exceeded, type);
  const limit = limits[exceeded] ?? 0;
  if (exceeded.startsWith("gigabytes")) {
    return overLimit(
      `VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed ${name} quota. Requested ` +
        `${usage[exceeded] ?? 0}G, quota is ${limit}G and ${quota.used[exceeded] ?? 0}G has been consumed.`,
    );
  }
  return exceeded.startsWith("snapshots")
    ? overLimit(`SnapshotLimitExceeded: Maximum number of snapshots allowed (${limit}) exceeded`)
    : overLimit(`VolumeLimitExceeded: Maximum number of volumes allowed (${limit}) exceeded for quota '${name}'.`);
}
