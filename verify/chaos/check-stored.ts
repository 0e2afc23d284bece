import { backendHost } from "../../core/backends/backends.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { checkApiSnapshots } from "./check-api.ts";
import { type AcceptedVolume, type Evidence, type StoredFile, suspectedBackends } from "./evidence.ts";

/** The checks of the data on the backends. */

const BYTES_PER_GIB = 2 ** 30;

/** Takes what does not hold: a volume or another subject, and why. */
export type Report = (subject: string, message: string) => void;

/** The volumes that were asked for, those that were there before among them. */
export function everyVolume({ accepted, known }: Evidence): readonly AcceptedVolume[] {
  return [...known, ...accepted];
}

export function recordsById({ records }: Evidence): Map<string, VolumeRecord> {
  return new Map(records.map((record) => [record.id, record]));
}

export function checkVolumesStored(evidence: Evidence, report: Report): void {
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
  const sizeGib = record.extension?.outcome === "extended" ? (volume.extendedTo ?? volume.sizeGib) : volume.sizeGib;
  // The driver may have done the work of an extension that then failed.
  const hasOtherSize = file.sizeBytes !== sizeGib * BYTES_PER_GIB;
  if (
    hasOtherSize &&
    !(record.extension?.outcome === "failed" && file.sizeBytes === record.extension.size * BYTES_PER_GIB)
  ) {
    report(volume.id, `it has ${file.sizeBytes} bytes, not ${sizeGib} GiB`);
  }
  if (file.digest !== volume.digest) {
    report(volume.id, `its bytes are not those of its ${volume.kind === "raw" ? "empty beginning" : volume.kind}`);
  }
}

export function filesById({ files }: Evidence, what: StoredFile["what"]): Map<string, StoredFile[]> {
  return Map.groupBy(
    files.filter((file) => file.what === what),
    ({ id }) => id,
  );
}

export function placesOf(files: readonly StoredFile[]): string {
  return files.map(({ backend, partial }) => `${backend}${partial ? " (half-made)" : ""}`).join(", ") || "none";
}

/** The remains of a failed create are on the record's host, or named in the ledger as suspected. */
export function checkNoOrphans(evidence: Evidence, report: Report): void {
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

export function checkSnapshots(evidence: Evidence, report: Report): void {
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
  const byApi = checkApiSnapshots(evidence, report);
  for (const [id, found] of [...files].filter(([each]) => !byApi.has(each))) {
    report(id, `a snapshot that was not requested is on ${placesOf(found)}`);
  }
}
