import type { ReadProblem } from "./evidence.ts";

/** A volume as a page of `GET /volumes/detail` has it. */
export type Listed = { id: string; name: string | null; status: string; created_at: string };

/** A list that was read page by page, each page after the last volume of the one before, and what the reader knew. */
export type Traversal = {
  project: string;
  listed: readonly Listed[];
  /** Ids of the volumes whose creates were answered before the first page was asked for, and that no client is about to delete. */
  there: readonly string[];
  /** Ids of all volumes that clients have asked for in the project. */
  askedFor: ReadonlySet<string>;
  /** Most volumes that the project may have; -1 for any number. */
  limit: number;
};

/**
 * The problems of a list that was read while volumes were created and deleted: it is newest first, has nothing twice, and has what was
 * there all the time.
 *
 * All volumes of the list that are not being deleted had their part of the quota at one moment, that of the first page: they were created
 * before it, and were still there later. So they are no more than the limit.
 */
export function problemsOf({ project, listed, there, askedFor, limit }: Traversal): ReadProblem[] {
  const problems: ReadProblem[] = [];
  const seen = new Set<string>();
  for (const [index, { id, created_at: createdAt }] of listed.entries()) {
    const before = listed[index - 1];
    if (
      before !== undefined &&
      (before.created_at < createdAt || (before.created_at === createdAt && before.id < id))
    ) {
      problems.push({ subject: id, message: `the list of ${project} has it after ${before.id}, which is older` });
    }
    if (seen.has(id)) {
      problems.push({ subject: id, message: `the list of ${project} has it twice` });
    }
    seen.add(id);
    if (!askedFor.has(id)) {
      problems.push({ subject: id, message: `the list of ${project} has it, and no client has asked for it there` });
    }
  }
  for (const id of there.filter((each) => !seen.has(each))) {
    problems.push({ subject: id, message: `it was there all the time, and the list of ${project} does not have it` });
  }
  const kept = listed.filter(({ status }) => !status.endsWith("deleting")).length;
  if (limit !== -1 && kept > limit) {
    problems.push({ subject: project, message: `it has ${kept} volumes, and its limit is ${limit}` });
  }
  return problems;
}

/** A project's sums as `GET /os-quota-sets/{project}?usage=true` has them. */
export type QuotaSet = Readonly<Record<string, { limit: number; in_use: number; reserved: number }>>;

/** The problems of a project's sums at any moment: none is negative, or more than its limit. */
export function problemsOfQuota(project: string, quota: QuotaSet): ReadProblem[] {
  return ["volumes", "gigabytes", "snapshots"].flatMap((resource) => {
    const { limit = -1, in_use: inUse = 0, reserved = 0 } = quota[resource] ?? {};
    const sum = inUse + reserved;
    const counts = `${resource}: ${inUse} in use, ${reserved} reserved, and the limit is ${limit}`;
    return sum < 0 || reserved < 0 || (limit !== -1 && sum > limit) ? [{ subject: project, message: counts }] : [];
  });
}
