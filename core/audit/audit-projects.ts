import { settleLeftOvers, type SettleDependencies } from "../api/quotas/settle.ts";
import type { SnapshotRepository, VolumeRepository } from "../ports.ts";
import {
  countedSize,
  type ListEntry,
  type ProjectRepository,
  type Usage,
  usageOfSnapshot,
  usageOfVolume,
} from "../projects.ts";
import { deadlineAfter } from "../settings/time-bounds.ts";

/** Dependencies of the audit of projects. */
export type AuditProjectsDependencies = SettleDependencies & {
  volumes: Pick<VolumeRepository, "getMany">;
  snapshots: Pick<SnapshotRepository, "getMany">;
  projects: Pick<ProjectRepository, "listQuotas" | "listAll" | "removeEntry" | "correctName" | "correctUsage">;
};

/** Its actions. */
export type ProjectsAudit = {
  /** Projects whose left-over reservations were settled. */
  settled: number;
  /** Projects whose usage was another one than their records take. */
  corrected: number;
  /** Entries of lists that were removed, because they have no record. */
  removed: number;
  /** Entries that had another name than their record. */
  renamed: number;
};

/** An entry whose record is not there, or has not its name, after this time is left from a request that died. */
const ENTRY_SECONDS = 900;

/**
 * Compares the quotas and lists of projects with the records, and corrects them: settles reservations that were left over, removes list
 * entries without a record, writes the records' names into the entries, and counts again what each project uses. A sum is written only if it has not changed since it was read, so
 * requests may continue in the meantime.
 *
 * Repeated, or twice at once: the second finds nothing to do.
 */
export async function auditProjects(deps: AuditProjectsDependencies): Promise<ProjectsAudit> {
  const result: ProjectsAudit = { settled: 0, corrected: 0, removed: 0, renamed: 0 };
  const quotas = await deps.projects.listQuotas();
  const entries = [...(await deps.projects.listAll("volume")), ...(await deps.projects.listAll("snapshot"))];
  const { usages, without, misnamed, isWhole } = await countedBy(deps, entries);
  for (const { projectId, quota } of quotas) {
    if (Object.keys(quota.moving).length > 0) {
      result.settled += (await settleLeftOvers(deps, projectId, quota)) ? 1 : 0;
    } else if (isWhole && !isSame(quota.used, usages.get(projectId) ?? {})) {
      result.corrected += (await deps.projects.correctUsage(projectId, quota, usages.get(projectId) ?? {})) ? 1 : 0;
    }
  }
  const isOld = (time: string): boolean => deadlineAfter(new Date(time), ENTRY_SECONDS) <= deps.clock.now();
  for (const entry of without.filter(({ createdAt }) => isOld(createdAt))) {
    await deps.projects.removeEntry(entry);
    result.removed += 1;
  }
  for (const { entry, name } of misnamed.filter((each) => isOld(each.entry.renamedAt ?? each.entry.createdAt))) {
    await deps.projects.correctName(entry, name);
    result.renamed += 1;
  }
  return result;
}

type Counted = {
  usages: Map<string, Usage>;
  /** Entries without a record, and entries of another time than their record. */
  without: ListEntry[];
  /** Entries with the names that they should have. */
  misnamed: { entry: ListEntry; name: string | null }[];
  isWhole: boolean;
};

/** The usage of each project's quota by the records of the entries, and the entries that do not agree with a record. */
async function countedBy(
  { volumes, snapshots }: AuditProjectsDependencies,
  entries: readonly ListEntry[],
): Promise<Counted> {
  const idsOf = (kind: ListEntry["kind"]): string[] => entries.filter((each) => each.kind === kind).map(({ id }) => id);
  const [foundVolumes, foundSnapshots] = await Promise.all([
    volumes.getMany(idsOf("volume")),
    snapshots.getMany(idsOf("snapshot")),
  ]);
  const usages = new Map<string, Usage>();
  const count = (projectId: string, usage: Usage): void => {
    usages.set(projectId, sum(usages.get(projectId) ?? {}, usage));
  };
  for (const volume of foundVolumes.values()) {
    if (volume.use_quota === true) {
      count(volume.project_id, usageOfVolume({ ...volume, size: countedSize(volume) }));
    }
  }
  for (const {
    project_id: projectId,
    volume_size: size,
    volume_type_id: typeId = null,
    use_quota,
  } of foundSnapshots.values()) {
    if (use_quota === true) {
      count(projectId, usageOfSnapshot(size, typeId));
    }
  }
  const unreadable = new Set(
    [...(foundVolumes.unreadable ?? []), ...(foundSnapshots.unreadable ?? [])].map(({ id }) => id),
  );
  const readable = entries.filter(({ id }) => !unreadable.has(id));
  const recordOf = ({ id }: ListEntry) => foundVolumes.get(id) ?? foundSnapshots.get(id);
  const without = readable.filter((entry) => recordOf(entry)?.created_at !== entry.createdAt);
  const misnamed = readable.flatMap((entry) => {
    const { created_at: at, display_name: name = null } = recordOf(entry) ?? {};
    return at === entry.createdAt && (name ?? "") !== (entry.name ?? "") ? [{ entry, name }] : [];
  });
  // The usage of an unreadable record is unknown.
  return { usages, without, misnamed, isWhole: unreadable.size === 0 };
}

function sum(one: Usage, other: Usage): Usage {
  const resources = new Set([...Object.keys(one), ...Object.keys(other)]);
  return Object.fromEntries(
    [...resources].map((resource) => [resource, (one[resource] ?? 0) + (other[resource] ?? 0)]),
  );
}

/** A resource that is absent is one of which nothing is used. */
function isSame(one: Usage, other: Usage): boolean {
  const resources = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...resources].every((resource) => (one[resource] ?? 0) === (other[resource] ?? 0));
}
