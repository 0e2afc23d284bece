import path from "node:path";
import { version as versionOfUuid } from "uuid";
import { backendHost } from "../../core/backends/backends.ts";
import { attemptOf, snapshotName, volumeName, type VolumeRecord } from "../../core/records.ts";
import { FLAKY_HOST } from "./backends.ts";
import { messageIdsOf } from "./notifications.ts";
import type { Result } from "./result.ts";
import type { Wish } from "./wishes.ts";

/** One expectation, and the finding if it does not hold. */
export type Expectation = { what: string; holds: boolean; found: string };

/** Expected notifications of the wishes: a start for each attempt, then an end or an error. */
export function expectedNotifications(wishes: readonly Wish[]): Map<string, number> {
  const created = wishes.filter(({ expected }) => expected.status === "available").length;
  return new Map([
    ["volume.create.start", wishes.reduce((sum, { expected }) => sum + expected.attempts, 0)],
    ["volume.create.end", created],
    ["volume.create.error", wishes.length - created],
  ]);
}

/** Judges the result. */
export function judge(result: Result): Expectation[] {
  const wishes = Object.values(result.wishes);
  return [
    ...result.problems.map((problem) => holds("no step fails unexpectedly", false, problem)),
    ...wishes.flatMap((wish) => judgeRecord(wish, result.records.get(wish.id))),
    ...judgePlaces(result),
    ...judgeNotifications(result, wishes),
    ...judgeFiles(result, wishes),
    ...judgeBytes(result, wishes),
  ];
}

function judgeRecord(wish: Wish, record: VolumeRecord | undefined): Expectation[] {
  const { name, expected } = wish;
  if (record === undefined) {
    return [equal(`${name} is ${expected.status}`, "never asked for", expected.status)];
  }
  return [
    holds(`${name} is ${expected.status}`, record.status === expected.status, statusOf(record)),
    equal(
      `${name} takes ${expected.attempts} ${expected.attempts === 1 ? "attempt" : "attempts"}`,
      attemptOf(record),
      expected.attempts,
    ),
    equal(`${name} is ${expected.bootable ? "" : "not "}bootable`, record.bootable, expected.bootable),
    equal(
      `${name} has ${expected.fault === undefined ? "no fault" : `the fault ${expected.fault}`}`,
      record.fault?.error,
      expected.fault,
    ),
    equal(`${name} has left the flow`, record.deadline, null),
  ];
}

/** The status, with the reason where there is one. */
function statusOf(record: VolumeRecord): string {
  return record.fault === null ? record.status : `${record.status} (${record.fault.error}: ${record.fault.cause})`;
}

function judgePlaces({ wishes, records }: Result): Expectation[] {
  const hostOf = (wish: Wish): string | null => records.get(wish.id)?.host ?? null;
  const retried = records.get(wishes["second-try"].id);
  const first = retried?.attempts["1"];
  return [
    equal("from-snapshot is on the backend of bootable", hostOf(wishes["from-snapshot"]), hostOf(wishes.bootable)),
    equal("clone is on the backend of bootable", hostOf(wishes.clone), hostOf(wishes.bootable)),
    equal("second-try began on the failing backend", backendHost(first?.host ?? ""), FLAKY_HOST),
    equal("its first attempt was rescheduled", first?.outcome, "rescheduled"),
    holds("second-try ended elsewhere", retried?.host !== null && retried?.host !== first?.host, retried?.host),
  ];
}

function judgeNotifications({ received, records }: Result, wishes: readonly Wish[]): Expectation[] {
  const different = [...new Map(received.map((one) => [one.notification.message_id, one])).values()];
  const counts = [...expectedNotifications(wishes)].map(([eventType, count]) =>
    equal(
      `${count} × ${eventType}`,
      different.filter(({ notification }) => notification.event_type === eventType).length,
      count,
    ),
  );
  const early = received.filter(
    ({ notification, recordStatus }) => notification.event_type === "volume.create.end" && recordStatus !== "available",
  );
  const foreign = received.filter(({ volumeId }) => !records.has(volumeId));
  const unstable = [...messageIdsOf(received)].filter((id) => versionOfUuid(id) !== 5);
  return [
    ...counts,
    equal("each create.end came after its volume read available", early.length, 0),
    equal("no notification is of another volume", foreign.length, 0),
    equal("each message id is derived from its event's name", unstable.length, 0),
  ];
}

/** The backends must have no missing and no extra files. */
function judgeFiles({ files, records, snapshot }: Result, wishes: readonly Wish[]): Expectation[] {
  const wanted = wishes
    .filter(({ expected }) => expected.status === "available")
    .map(({ id }) => fileNameOf(records.get(id), id));
  const names = new Set([...wanted, ...(snapshot === undefined ? [] : [snapshotName(snapshot.id)])]);
  const found = files.map((file) => path.basename(file.path));
  const places = wishes.flatMap(({ id }) => records.get(id)?.provider_location ?? []);
  const left = found.filter((name) => !names.has(name));
  const missing = [...names].filter((name) => !found.includes(name));
  return [
    holds("the snapshot is available", snapshot?.status === "available", snapshot?.status),
    holds("every volume and snapshot is a file on its backend", missing.length === 0, `missing: ${missing.join(", ")}`),
    holds("nothing else is left on a backend", left.length === 0, left.join(", ")),
    equal("no two volumes share a file", new Set(places).size, places.length),
    ...wishes.flatMap((wish) => judgeSize(wish, files, records.get(wish.id))),
  ];
}

/** A second attempt's volume has its own name. */
function fileNameOf(record: VolumeRecord | undefined, id: string): string {
  return path.basename(record?.provider_location ?? volumeName(id));
}

function judgeSize(
  { id, name, sizeGib }: Wish,
  files: Result["files"],
  record: VolumeRecord | undefined,
): Expectation[] {
  const file = files.find((one) => path.basename(one.path) === fileNameOf(record, id));
  if (file === undefined) {
    return [];
  }
  const sparse = file.allocated_bytes < file.apparent_bytes / 10;
  return [
    equal(`${name} has ${sizeGib} GiB`, file.apparent_bytes, sizeGib * 2 ** 30),
    holds(`${name} takes no space for its zeros`, sparse, `${file.allocated_bytes} bytes`),
  ];
}

function judgeBytes({ comparisons }: Result, wishes: readonly Wish[]): Expectation[] {
  return wishes
    .filter(({ expected }) => expected.status === "available")
    .map(({ name }) => {
      const comparison = comparisons.find(({ volume }) => volume === name);
      const found = comparison === undefined ? "not compared" : `differs at byte ${comparison.differsAt}`;
      return holds(`${name} holds the bytes of its source, then zeros`, comparison?.differsAt === null, found);
    });
}

function equal(what: string, found: unknown, wanted: unknown): Expectation {
  return holds(what, found === wanted, found);
}

function holds(what: string, isSo: boolean, found: unknown): Expectation {
  return { what, holds: isSo, found: typeof found === "string" ? found : (JSON.stringify(found) ?? "nothing") };
}
