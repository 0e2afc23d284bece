import { backendHost } from "../../core/backends/backends.ts";
import { isCachedVolume } from "../../core/image-cache/image-cache.ts";
import { fenceOf, isFlowStatus, SNAPSHOT_LOCK, type VolumeRecord } from "../../core/records.ts";
import { type AcceptedVolume, type Evidence, type StoredFile, suspectedBackends, type Violation } from "./evidence.ts";

const BYTES_PER_GIB = 2 ** 30;

type Report = (subject: string, message: string) => void;
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
};

/** Everything that does not hold, by check. */
export function findViolations(evidence: Evidence): Violation[] {
  return Object.entries(CHECKS).flatMap(([check, run]) => {
    const violations: Violation[] = [];
    run(evidence, (subject, message) => void violations.push({ check, subject, message }));
    return violations;
  });
}

/** The volumes that were asked for, those that were there before among them. */
function everyVolume({ accepted, known }: Evidence): readonly AcceptedVolume[] {
  return [...known, ...accepted];
}

function recordsById({ records }: Evidence): Map<string, VolumeRecord> {
  return new Map(records.map((record) => [record.id, record]));
}

function checkRest({ messagesLeft, executionsRunning, backends, records }: Evidence, report: Report): void {
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
  if (record.status === "error") {
    if ((record.fault?.error ?? "") === "" || (record.fault?.cause ?? "") === "") {
      report(volume.id, "it is in error, and its record does not say why");
    }
    return;
  }
  if (record.status !== "available") {
    report(volume.id, `it is ${record.status}`);
  } else if (volume.spoiled && !volume.redriven) {
    report(volume.id, "it is available, and its message could not be read");
  }
  const running = Object.entries(record.attempts).filter(([, { outcome }]) => outcome === "running");
  for (const [number] of running) {
    report(volume.id, `its ledger says that attempt ${number} is running`);
  }
}

function checkVolumesStored(evidence: Evidence, report: Report): void {
  const files = filesById(evidence, "volume");
  const records = recordsById(evidence);
  for (const volume of everyVolume(evidence)) {
    const record = records.get(volume.id);
    if (record?.status !== "available") {
      continue;
    }
    // The ledger names the possible remains of a refused attempt.
    const suspected = suspectedBackends(record);
    const found = (files.get(volume.id) ?? []).filter(
      ({ backend }) => backend === backendHost(record.host ?? "") || !suspected.includes(backend),
    );
    const [file] = found;
    if (found.length !== 1 || file === undefined) {
      report(volume.id, `it is available, and ${found.length} backends hold it: ${placesOf(found)}`);
    } else {
      checkFile(volume, record, file, report);
    }
  }
}

function checkFile(volume: AcceptedVolume, record: VolumeRecord, file: StoredFile, report: Report): void {
  if (file.backend !== backendHost(record.host ?? "")) {
    report(volume.id, `its record says ${record.host ?? "no host"}, and it is on ${file.backend}`);
  }
  if (file.partial) {
    report(volume.id, `it is available, and half-made on ${file.backend}`);
    return;
  }
  if (file.sizeBytes !== volume.sizeGib * BYTES_PER_GIB) {
    report(volume.id, `it has ${file.sizeBytes} bytes, not ${volume.sizeGib} GiB`);
  }
  if (file.digest !== volume.digest) {
    report(volume.id, `its bytes are not those of its ${volume.kind === "raw" ? "empty beginning" : volume.kind}`);
  }
}

function filesById({ files }: Evidence, what: StoredFile["what"]): Map<string, StoredFile[]> {
  return Map.groupBy(
    files.filter((file) => file.what === what),
    ({ id }) => id,
  );
}

function placesOf(files: readonly StoredFile[]): string {
  return files.map(({ backend, partial }) => `${backend}${partial ? " (half-made)" : ""}`).join(", ") || "none";
}

/** The remains of a failed create are on the record's host, or named in the ledger as suspected. */
function checkNoOrphans(evidence: Evidence, report: Report): void {
  const records = recordsById(evidence);
  const planted = new Set([...evidence.planted, ...evidence.unreadable.put].map(({ id }) => id));
  const suspectedOn = new Map(evidence.accepted.map((volume) => [volume.id, volume.suspectedOn]));
  for (const file of evidence.files) {
    if (file.what !== "volume" || planted.has(file.id)) {
      continue;
    }
    const record = records.get(file.id);
    if (record === undefined) {
      if (suspectedOn.get(file.id)?.includes(file.backend) !== true) {
        report(file.id, `it is on ${placesOf([file])}, and there is no record of it`);
      }
    } else if (backendHost(record.host ?? "") !== file.backend && !suspectedBackends(record).includes(file.backend)) {
      report(file.id, `it is on ${placesOf([file])}, and its record, on ${record.host ?? "no host"}, does not say so`);
    }
  }
}

function checkSnapshots(evidence: Evidence, report: Report): void {
  const files = filesById(evidence, "snapshot");
  for (const [id, digest] of Object.entries(evidence.snapshotDigests)) {
    const record = evidence.snapshots.find((snapshot) => snapshot.id === id);
    const found = files.get(id) ?? [];
    if (record?.status !== "available") {
      report(id, `the snapshot was taken, and is ${record?.status ?? "gone"}`);
    } else if (found.length !== 1 || found[0]?.backend !== backendHost(record.host)) {
      report(id, `the snapshot is of ${record.host}, and on ${placesOf(found)}`);
    } else if (found[0].digest !== digest) {
      report(id, "the snapshot's bytes are not those of its volume");
    }
    files.delete(id);
  }
  for (const [id, found] of files) {
    report(id, `a snapshot that was not requested is on ${placesOf(found)}`);
  }
}

/**
 * At rest no create uses a source: only the locks of existing snapshots remain. A clone of a cached volume has no source on its record, so
 * the eviction of the cached volume checks its holder.
 */
function checkLocks({ records, snapshots }: Evidence, report: Report): void {
  const taken = new Set(snapshots.map(({ id }) => id));
  for (const { id, locks } of [...records.filter((record) => !isCachedVolume(record)), ...snapshots]) {
    for (const [holder, value] of Object.entries(locks ?? {})) {
      if (value !== SNAPSHOT_LOCK || !taken.has(holder)) {
        report(id, `it is locked by ${value} of ${holder}, which has ended`);
      }
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
  for (const { id, status } of evidence.records.filter((record) => !isCachedVolume(record))) {
    if (status === "available" && !ends.has(id)) {
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
