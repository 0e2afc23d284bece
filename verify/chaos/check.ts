import { isCachedVolume } from "../../core/image-cache/image-cache.ts";
import { checkEntries, checkFailures, checkLimits, checkOnePerRequest, checkQuotas, checkReads } from "./check-api.ts";
import {
  checkNoOrphans,
  checkSnapshots,
  checkVolumesStored,
  everyVolume,
  filesById,
  placesOf,
  recordsById,
  type Report,
} from "./check-stored.ts";
import { fenceOf, isFlowStatus, SNAPSHOT_LOCK, type VolumeRecord } from "../../core/records.ts";
import type { AcceptedVolume, Evidence, Violation } from "./evidence.ts";

type Check = (evidence: Evidence, report: Report) => void;

/** The checks by name. Each looks at the evidence alone and reports every violation that it finds. */
export const CHECKS: Readonly<Record<string, Check>> = {
  "at rest": checkRest,
  "every volume is decided": checkDecided,
  "one volume on one backend, with its bytes": checkVolumesStored,
  "nothing on a backend without a record": checkNoOrphans,
  "snapshots are whole": checkSnapshots,
  "no lock is left behind": checkLocks,
  "capacity adds up": checkCapacity,
  "create.end after available": checkTold,
  "dead letters explain the rest": checkDeadLetters,
  "one owner at a time": checkOwners,
  "no token is kept, sent or logged": checkSecrets,
  "no project reads another's source": checkForeign,
  "the audit removes what no record claims": checkReaped,
  "the audit reports records that cannot be read": checkUnreadable,
  "a backend that hangs holds up nothing else": checkBesideHanging,
  "one volume for each request": checkOnePerRequest,
  "quotas count what exists": checkQuotas,
  "no project exceeds its limit": checkLimits,
  "lists have what exists": checkEntries,
  "reads hold while everything changes": checkReads,
  "only injected faults fail a request": checkFailures,
};

/** Everything that does not hold, by check. */
export function findViolations(evidence: Evidence): Violation[] {
  return Object.entries(CHECKS).flatMap(([check, run]) => {
    const violations: Violation[] = [];
    run(evidence, (subject, message) => void violations.push({ check, subject, message }));
    return violations;
  });
}

function checkRest({ messagesLeft, executionsRunning, backends, records, snapshots }: Evidence, report: Report): void {
  if (messagesLeft > 0) {
    report("scheduler queue", `${messagesLeft} messages are left`);
  }
  if (executionsRunning > 0) {
    report("workflow", `${executionsRunning} executions run`);
  }
  for (const { host, claims } of backends) {
    for (const [volumeId, { attempt, size }] of Object.entries(claims)) {
      report(host, `the claim of volume ${volumeId}, attempt ${attempt}, ${size} GiB, is open`);
    }
  }
  for (const record of records) {
    const { id, status, phase, deadline, reset_at: resetAt } = record;
    // A status that an operator has set is the operator's to change.
    if ((isFlowStatus(status) && resetAt === undefined) || deadline !== null) {
      report(id, `it is ${status}, in phase ${phase ?? "none"}, with the deadline ${deadline ?? "none"}`);
    }
  }
  for (const { id, status, deadline } of snapshots) {
    if (deadline !== undefined) {
      report(id, `the snapshot is ${status}, with the deadline ${deadline}`);
    }
  }
}

function checkDecided(evidence: Evidence, report: Report): void {
  const records = recordsById(evidence);
  for (const volume of everyVolume(evidence)) {
    const record = records.get(volume.id);
    records.delete(volume.id);
    if (record === undefined) {
      if (volume.deletion === "none" || volume.deletion === "refused") {
        report(volume.id, `its record is gone, and its deletion was ${wishOf(volume)}`);
      }
      continue;
    }
    checkOutcome(volume, record, report);
  }
  for (const { id } of [...records.values()].filter((record) => !isCachedVolume(record))) {
    report(id, "there is a record of a volume that was not requested");
  }
}

function wishOf({ deletion }: AcceptedVolume): string {
  return deletion === "none" ? "not asked for" : deletion;
}

function checkOutcome(volume: AcceptedVolume, record: VolumeRecord, report: Report): void {
  if (volume.deletion === "accepted") {
    report(volume.id, `its deletion was accepted, and it is ${record.status}`);
    return;
  }
  if (volume.resetTo !== null) {
    if (record.status !== volume.resetTo) {
      report(volume.id, `an operator has set ${volume.resetTo}, and it is ${record.status}`);
    }
    return;
  }
  if (record.status === "error") {
    if ((record.fault?.error ?? "") === "" || (record.fault?.cause ?? "") === "") {
      report(volume.id, "it is in error, and its record does not say why");
    }
    return;
  }
  checkExtension(volume, record, report);
  if (record.status !== "available" && !(volume.extendedTo !== null && record.status === "error_extending")) {
    report(volume.id, `it is ${record.status}`);
  } else if (volume.abandoned) {
    report(volume.id, `it is ${record.status}, and its cast never reached the queue`);
  } else if (volume.spoiled && !volume.redriven) {
    report(volume.id, "it is available, and its message could not be read");
  }
  const running = Object.entries(record.attempts).filter(([, { outcome }]) => outcome === "running");
  for (const [number] of running) {
    report(volume.id, `its ledger says that attempt ${number} is running`);
  }
}

/** An extension that was accepted has ended, with the size that was asked for or with a reason. */
function checkExtension({ id, extendedTo }: AcceptedVolume, { extension, size }: VolumeRecord, report: Report): void {
  if (extendedTo === null) {
    return;
  }
  if (extension?.outcome === undefined) {
    report(id, "its extension was accepted, and has not ended");
  } else if (extension.outcome === "extended" ? size !== extendedTo : (extension.cause ?? "") === "") {
    report(id, `its extension to ${extendedTo} GiB has ${extension.outcome}, and it has ${size} GiB`);
  }
}

/**
 * At rest no create uses a source: only the locks of existing snapshots remain. A clone of a cached volume has no source on its record, so
 * the eviction of the cached volume checks its holder.
 */
function checkLocks({ records, snapshots, locks }: Evidence, report: Report): void {
  const taken = new Set(snapshots.map(({ id }) => id));
  const cached = new Set(records.filter((record) => isCachedVolume(record)).map(({ id }) => id));
  for (const { source, holder, value } of locks) {
    if (!cached.has(source.id) && (value !== SNAPSHOT_LOCK || !taken.has(holder))) {
      report(source.id, `it is locked by ${value} of ${holder}, which has ended`);
    }
  }
}

function checkCapacity({ backends, records }: Evidence, report: Report): void {
  const hosts = new Set(backends.map(({ host }) => host));
  for (const { host, allocated_capacity_gb: allocated, provisioned_capacity_gb: provisioned } of backends) {
    const held = records.filter((record) => record.host === host).reduce((sum, { size }) => sum + size, 0);
    if (allocated !== held) {
      report(host, `${allocated} GiB are counted as allocated, and the volumes there have ${held} GiB`);
    }
    if (provisioned !== held) {
      report(host, `${provisioned} GiB are counted as provisioned, and the volumes there have ${held} GiB`);
    }
  }
  for (const { id, host } of records) {
    if (host !== null && !hosts.has(host)) {
      report(id, `it is on ${host}, which no backend is`);
    }
  }
}

function checkTold(evidence: Evidence, report: Report): void {
  const ends = Map.groupBy(
    evidence.told.filter(({ eventType }) => eventType === "volume.create.end"),
    ({ volumeId }) => volumeId,
  );
  // An operator who sets a status takes the volume from the flow, which sends nothing then.
  const taken = new Set(evidence.accepted.flatMap(({ id, resetTo }) => (resetTo === null ? [] : [id])));
  for (const { id, status } of evidence.records.filter((record) => !isCachedVolume(record))) {
    if (status === "available" && !ends.has(id) && !taken.has(id)) {
      report(id, "it is available, and volume.create.end was not sent");
    }
  }
  for (const [volumeId, told] of ends) {
    const early = told.find(({ statusThen }) => statusThen !== null && isFlowStatus(statusThen));
    if (early !== undefined) {
      report(volumeId, `volume.create.end was sent while it was ${early.statusThen}`);
    }
    const ids = new Set(told.map(({ messageId }) => messageId));
    if (ids.size > 1) {
      report(volumeId, `volume.create.end was sent under ${ids.size} message ids`);
    }
  }
}

/** Attempts follow one another: the next begins when the one before has ended, and the record is the last one's. */
function checkOwners({ records }: Evidence, report: Report): void {
  for (const { id, fence, host, status, attempts } of records) {
    const lines = Object.entries(attempts)
      .map(([number, line]) => ({ number: Number(number), ...line }))
      .toSorted((one, other) => one.number - other.number);
    for (const [index, line] of lines.entries()) {
      const next = lines[index + 1];
      if (next !== undefined && (line.ended_at === undefined || line.ended_at > next.started_at)) {
        report(id, `attempt ${next.number} began before attempt ${line.number} had ended`);
      }
      if (next !== undefined && line.outcome === "created") {
        report(id, `attempt ${line.number} created it, and attempt ${next.number} followed`);
      }
      if (line.execution !== fenceOf(id, line.number)) {
        report(id, `attempt ${line.number} is said to be of execution ${line.execution}`);
      }
    }
    const last = lines.at(-1);
    if (status === "available" && last !== undefined && (fence !== last.execution || host !== last.host)) {
      report(id, `it belongs to ${fence ?? "nobody"} on ${host ?? "no host"}, its last attempt is ${last.execution}`);
    }
  }
}

function checkSecrets({ leaks }: Evidence, report: Report): void {
  for (const place of leaks) {
    report(place, "it holds the token of a request");
  }
}

function checkForeign(evidence: Evidence, report: Report): void {
  const records = recordsById(evidence);
  const files = filesById(evidence, "volume");
  for (const { id, kind, foreign } of evidence.accepted) {
    const status = records.get(id)?.status;
    if (foreign && status !== undefined && status !== "error") {
      report(id, `it is ${status}, and its ${kind} belongs to another project`);
    }
    if (foreign && files.has(id)) {
      report(id, `${placesOf(files.get(id) ?? [])} holds it, and its ${kind} belongs to another project`);
    }
  }
}

function checkReaped({ planted, files }: Evidence, report: Report): void {
  for (const { id, backend } of planted) {
    if (files.some((file) => file.id === id)) {
      report(id, `it has no record, is two days old, and is still on ${backend}`);
    }
  }
}

function checkUnreadable({ unreadable, files }: Evidence, report: Report): void {
  const put = new Map(unreadable.put.map(({ id, backend }) => [id, backend]));
  for (const [id, backend] of put) {
    if (!unreadable.reported.includes(id)) {
      report(id, "its record cannot be read, and no audit has reported it");
    }
    if (!files.some((file) => file.id === id)) {
      report(id, `its record cannot be read, and ${backend} does not hold it any more`);
    }
  }
  for (const id of unreadable.reported) {
    if (!put.has(id)) {
      report(id, "an audit says that its record cannot be read");
    }
  }
}

function checkBesideHanging({ besideHanging: { unrest, planted } }: Evidence, report: Report): void {
  if (unrest !== null) {
    report("the work on other backends", `it was not at rest while a backend hung: ${unrest}`);
  }
  for (const { id, backend } of planted) {
    report(id, `no audit has removed it from ${backend} while another backend hung`);
  }
}

function checkDeadLetters(evidence: Evidence, report: Report): void {
  const explained = new Set<number>();
  for (const { marker, why } of evidence.badMessages) {
    const found = evidence.deadLetters.flatMap(({ body }, index) => (body.includes(marker) ? [index] : []));
    for (const index of found) {
      explained.add(index);
    }
    if (found.length === 0) {
      report(marker, `a message that ${why} is not among the dead letters`);
    }
  }
  const records = recordsById(evidence);
  for (const [index, { body, reason }] of evidence.deadLetters.entries()) {
    const volume = evidence.accepted.find(({ id }) => body.includes(id));
    if (reason === "") {
      report(volume?.id ?? `dead letter ${index + 1}`, "a dead letter does not say why it is one");
    }
    if (explained.has(index)) {
      continue;
    }
    const status = records.get(volume?.id ?? "")?.status;
    if (volume === undefined) {
      report(`dead letter ${index + 1}`, "it is of no message that was sent");
    } else if (status !== undefined && status !== "error" && status !== "available") {
      report(volume.id, `its message is among the dead letters, and it is ${status}`);
    }
  }
}
