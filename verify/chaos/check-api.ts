import { backendHost } from "../../core/backends/backends.ts";
import type { SnapshotRecord } from "../../core/records.ts";
import { digestOf } from "./content.ts";
import type { Report } from "./check-stored.ts";
import type { Evidence, ProjectState } from "./evidence.ts";

/** The checks of the clients' work through the Block Storage API. */

const EMPTY = digestOf([]);

/** A repeated request makes no second volume, and one that was refused makes none. */
export function checkOnePerRequest({ api, records }: Evidence, report: Report): void {
  const named = Map.groupBy(
    records.filter(({ display_name: name }) => name !== null),
    ({ project_id, display_name }) => `${project_id}/${display_name}`,
  );
  for (const [name, found] of named) {
    if (found.length > 1) {
      report(name, `its request has made ${found.length} volumes: ${found.map(({ id }) => id).join(", ")}`);
    }
  }
  for (const { name, project, ids, end } of api.creates) {
    const answered = new Set(ids);
    const found = named.get(`${project}/${name}`)?.[0];
    if (answered.size > 1) {
      report(name, `its answers name ${answered.size} volumes: ${[...answered].join(", ")}`);
    }
    if (found !== undefined && answered.size === 1 && !answered.has(found.id)) {
      report(name, `its answer names volume ${ids[0]}, and its record is that of ${found.id}`);
    }
    if (found !== undefined && end === "refused by the quota") {
      report(found.id, "its create was refused by the quota, and it has a record");
    }
  }
}

type Sums = Record<"volumes" | "gigabytes" | "snapshots", number>;

/** The part of its quota that the records of a project take. */
function sumsOf({ records, snapshots }: Evidence, projectId: string): Sums {
  const volumes = records.filter((each) => each.project_id === projectId && each.use_quota === true);
  const taken = snapshots.filter((each) => each.project_id === projectId && each.use_quota === true);
  const sizes = [...volumes.map(({ size }) => size), ...taken.map(({ volume_size: size }) => size)];
  return {
    volumes: volumes.length,
    gigabytes: sizes.reduce((sum, size) => sum + size, 0),
    snapshots: taken.length,
  };
}

/**
 * At rest each counter is the sum of what exists. Only an extension that failed, and whose function died before it gave back its growth, may
 * have left more, which the audit corrects.
 */
export function checkQuotas(evidence: Evidence, report: Report): void {
  const { api, records } = evidence;
  const failed = records.filter(({ extension }) => extension?.outcome === "failed" && extension.counted === true);
  for (const { id, settled, audited, reservations } of api.projects) {
    const growth = failed
      .filter((each) => each.project_id === id)
      .reduce((sum, { size, extension }) => sum + (extension?.size ?? size) - size, 0);
    for (const [resource, exists] of Object.entries(sumsOf(evidence, id))) {
      const before = settled[resource] ?? 0;
      const spare = resource === "gigabytes" ? growth : 0;
      if (before < exists || before > exists + spare) {
        report(id, `${before} ${resource} are counted before the audit, and ${exists} exist`);
      }
      if ((audited[resource] ?? 0) !== exists) {
        report(id, `${audited[resource] ?? 0} ${resource} are counted, and ${exists} exist`);
      }
    }
    for (const holder of reservations) {
      report(id, `the reservation of ${holder} is left`);
    }
  }
  for (const projectId of new Set(records.flatMap((each) => (each.use_quota === true ? [each.project_id] : [])))) {
    if (!api.projects.some(({ id }) => id === projectId)) {
      report(projectId, "it has volumes, and no counter");
    }
  }
  if (api.corrections > failed.length) {
    report("audits", `they have corrected ${api.corrections} sums, and ${failed.length} extensions have failed`);
  }
}

/** No project ends with more than its limit, and none is refused what it has room for. */
export function checkLimits(evidence: Evidence, report: Report): void {
  for (const { id, limits, leftOverGib } of evidence.api.projects) {
    const sums = sumsOf(evidence, id);
    for (const resource of ["volumes", "gigabytes", "snapshots"] as const) {
      if (limits[resource] !== -1 && sums[resource] > limits[resource]) {
        report(id, `it has ${sums[resource]} ${resource}, and its limit is ${limits[resource]}`);
      }
    }
    checkRefusals(evidence, { id, limits, leftOverGib }, report);
  }
}

/** Everything that was ever accepted counts, because the evidence does not have the moment of the refusal. */
function checkRefusals(
  { api, accepted }: Evidence,
  { id, limits, leftOverGib }: Pick<ProjectState, "id" | "limits" | "leftOverGib">,
  report: Report,
) {
  const refused = api.creates.filter(({ project, end }) => project === id && end === "refused by the quota");
  const taken = accepted.filter(({ project }) => project === id);
  const sizes = taken.map(({ sizeGib, extendedTo }) => extendedTo ?? sizeGib);
  const gigabytes =
    leftOverGib +
    sizes.reduce((sum, size) => sum + size, 0) +
    api.snapshots.filter(({ project }) => project === id).length * Math.max(0, ...sizes);
  for (const { name, sizeGib } of refused) {
    const isFull =
      (limits.volumes !== -1 && taken.length >= limits.volumes) ||
      (limits.gigabytes !== -1 && gigabytes + sizeGib > limits.gigabytes);
    if (!isFull) {
      report(name, `it was refused, and ${id} has ${taken.length} volumes and ${gigabytes} GiB at most`);
    }
  }
}

/**
 * A list has each record that the API has made, with its name and its time. Records of other programs may be in it as well; an entry without
 * a record may not.
 */
export function checkEntries({ api, records, snapshots }: Evidence, report: Report): void {
  for (const { id: projectId, entries } of api.projects) {
    const there = [
      ...records.map((each) => ({ ...each, kind: "volume" })),
      ...snapshots.map((each) => ({ ...each, kind: "snapshot" })),
    ].filter((each) => each.project_id === projectId);
    const keyOf = (kind: string, id: string, createdAt: string, name: string | null): string =>
      `${kind} ${id} of ${createdAt} with the name ${name}`;
    const byKey = new Map(
      there.map((each) => [keyOf(each.kind, each.id, each.created_at, each.display_name), each.use_quota]),
    );
    for (const { kind, id, createdAt, name } of entries) {
      if (!byKey.delete(keyOf(kind, id, createdAt, name))) {
        report(projectId, `its list has ${keyOf(kind, id, createdAt, name)}, and no record is so`);
      }
    }
    for (const [key] of [...byKey].filter(([, isByApi]) => isByApi === true)) {
      report(projectId, `its list does not have ${key}`);
    }
  }
}

export function checkReads({ api }: Evidence, report: Report): void {
  for (const { subject, message } of api.readProblems) {
    report(subject, message);
  }
}

export function checkFailures({ api }: Evidence, report: Report): void {
  for (const { request, cause } of api.failures) {
    report(request, `it was answered by ${cause}, which no injected fault explains`);
  }
}

/** Snapshots that clients took of empty volumes. Returns the ids of their records: their files are theirs. */
export function checkApiSnapshots(evidence: Evidence, report: Report): Set<string> {
  const byName = Map.groupBy(evidence.snapshots, ({ display_name: name }) => name);
  const ids = new Set<string>();
  for (const { name, deletion } of evidence.api.snapshots) {
    const found = byName.get(name) ?? [];
    found.forEach(({ id }) => ids.add(id));
    if (deletion === "none" && found.length === 0) {
      report(name, "the snapshot was accepted, and is gone");
    }
    for (const record of found) {
      checkApiSnapshot(evidence, record, deletion === "accepted", report);
    }
  }
  return ids;
}

function checkApiSnapshot({ files }: Evidence, record: SnapshotRecord, isDeleted: boolean, report: Report): void {
  const { id, status, host } = record;
  const found = files.filter((file) => file.what === "snapshot" && file.id === id);
  if (status === "available" && !isDeleted) {
    const [file] = found;
    if (found.length !== 1 || file?.backend !== backendHost(host) || file.digest !== EMPTY) {
      report(id, `the snapshot is available on ${host}, and ${found.length} files are there`);
    }
  } else if (status !== "error" && !(isDeleted && status === "error_deleting")) {
    report(id, `the snapshot is ${status}${isDeleted ? ", and its deletion was accepted" : ""}`);
  }
}
