import { type ProjectQuota, type ProjectRepository, UNLIMITED } from "../../projects.ts";
import type { VolumeTypeRecord } from "../../records.ts";

/** Default limits of a project (`quota_volumes` and its like). */
export const DEFAULT_LIMITS: Readonly<Record<string, number>> = {
  volumes: 10,
  per_volume_gigabytes: UNLIMITED,
  snapshots: 10,
  gigabytes: 1000,
  backups: 10,
  backup_gigabytes: 1000,
  groups: 10,
};

/** Name of the limits of all projects without their own. It is not a valid project id. */
export const DEFAULT_CLASS = ":default";

/** The limits that hold for a project: its own, then those of the class, then the built-in ones. */
export function effectiveLimits(
  { limits: own }: Pick<ProjectQuota, "limits">,
  { limits: byDefault }: Pick<ProjectQuota, "limits">,
): Readonly<Record<string, number>> {
  return { ...DEFAULT_LIMITS, ...byDefault, ...own };
}

/** A project's quota and the limits that hold for it. */
export async function quotaOf(
  projects: Pick<ProjectRepository, "readTogether">,
  projectId: string,
): Promise<ProjectLimits> {
  const { quotas } = await projects.readTogether([projectId, DEFAULT_CLASS], []);
  return limitsOf(quotas);
}

/**
 * As {@link quotaOf}, for a create, by one request: also whether a volume of the id was deleted that was made with an Idempotency-Key.
 *
 * @param keyedId the volume's id that the key stands for; undefined without a key
 */
export async function quotaOfCreate(
  projects: Pick<ProjectRepository, "readTogether">,
  projectId: string,
  keyedId: string | undefined,
): Promise<ProjectLimits & { isDeleted: boolean }> {
  const names = keyedId === undefined ? [] : [{ scope: "deleted_volume", name: keyedId } as const];
  const { quotas, claims } = await projects.readTogether([projectId, DEFAULT_CLASS], names);
  return { ...limitsOf(quotas), isDeleted: claims.some((claim) => claim !== undefined) };
}

type ProjectLimits = { quota: ProjectQuota; limits: Readonly<Record<string, number>> };

function limitsOf([quota = NO_QUOTA, byDefault = NO_QUOTA]: readonly ProjectQuota[]): ProjectLimits {
  return { quota, limits: effectiveLimits(quota, byDefault) };
}

const NO_QUOTA: ProjectQuota = { used: {}, limits: {}, moving: {} };

/** A resource as requests and answers name it: of a type by its name, where the store has its id. */
export function shownResource(resource: string, type: Pick<VolumeTypeRecord, "id" | "name"> | null): string {
  return type !== null && resource.endsWith(`_${type.id}`)
    ? `${resource.slice(0, -type.id.length)}${type.name}`
    : resource;
}
