import type { ListEntry, Movement, Usage } from "../../core/projects.ts";
import type { SnapshotRecord, VolumeRecord } from "../../core/records.ts";

/** Records, lists and quotas of all projects at rest. */
export type ProjectsAtRest = {
  volumes: readonly VolumeRecord[];
  snapshots: readonly SnapshotRecord[];
  entries: readonly ListEntry[];
  quotas: readonly { projectId: string; used: Usage; moving: Readonly<Record<string, Movement>> }[];
};

/** Disagreements of the quotas and lists of projects with the records that count in them, as lines: counted here, with no code of the product. */
export function projectProblems(projects: ProjectsAtRest): string[] {
  return [...quotaProblems(projects), ...listProblems(projects)];
}

/** The usage of each project's quota by the records alone. */
export function usageOfRecords({
  volumes,
  snapshots,
}: Pick<ProjectsAtRest, "volumes" | "snapshots">): Map<string, Record<string, number>> {
  const usages = new Map<string, Record<string, number>>();
  const add = (projectId: string, resource: string, amount: number, typeId: string | null | undefined): void => {
    const usage = usages.get(projectId) ?? {};
    usages.set(projectId, usage);
    for (const name of [resource, ...(typeId == null ? [] : [`${resource}_${typeId}`])]) {
      usage[name] = (usage[name] ?? 0) + amount;
    }
  };
  for (const { project_id: id, size, quota_size: counted, volume_type_id: type } of counting(volumes)) {
    add(id, "volumes", 1, type);
    add(id, "gigabytes", counted ?? size, type);
  }
  for (const { project_id: id, volume_size: size, volume_type_id: type } of counting(snapshots)) {
    add(id, "snapshots", 1, type);
    add(id, "gigabytes", size, type);
  }
  return usages;
}

/** Records that another program has put count in no quota. */
function counting<Item extends { use_quota?: true }>(records: readonly Item[]): Item[] {
  return records.filter(({ use_quota: counts }) => counts === true);
}

function quotaProblems(projects: ProjectsAtRest): string[] {
  const counted = usageOfRecords(projects);
  return projects.quotas.flatMap(({ projectId, used, moving }) => {
    const usage = counted.get(projectId) ?? {};
    const resources = new Set([...Object.keys(used), ...Object.keys(usage)]);
    return [
      ...[...resources].flatMap((resource) =>
        (used[resource] ?? 0) === (usage[resource] ?? 0)
          ? []
          : [
              `project ${projectId} counts ${used[resource] ?? 0} of ${resource}, and its records take ${usage[resource] ?? 0}`,
            ],
      ),
      ...Object.keys(moving).map((holder) => `project ${projectId} still has the movement of ${holder}`),
    ];
  });
}

function listProblems({ volumes, snapshots, entries }: ProjectsAtRest): string[] {
  const lineOf = (projectId: string, id: string, createdAt: string, name: string | null): string =>
    `${projectId} ${id} ${createdAt} ${JSON.stringify(name ?? "")}`;
  const linesOf = (records: readonly (VolumeRecord | SnapshotRecord)[]): string[] =>
    records.map((each) => lineOf(each.project_id, each.id, each.created_at, each.display_name));
  const counted = linesOf([...counting(volumes), ...counting(snapshots)]);
  // Other programs may enter their records, too.
  const recorded = linesOf([...volumes, ...snapshots]);
  const listed = entries
    .filter(({ kind }) => kind !== "attachment")
    .map((each) => lineOf(each.projectId, each.id, each.createdAt, each.name));
  return [
    ...counted.filter((line) => !listed.includes(line)).map((line) => `no list has the record ${line}`),
    ...listed.filter((line) => !recorded.includes(line)).map((line) => `there is no record of the entry ${line}`),
  ];
}
