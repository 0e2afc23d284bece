import { describe, expect, it } from "vitest";
import { compare, isSame } from "../../verify/conformance/compare.ts";
import { DIFFERENCES } from "../../verify/conformance/differences.ts";
import type { Outcome } from "../../verify/conformance/outcome.ts";
import { CASES, caseNamed, endOf, ENDS } from "../support/conformance.ts";

const ALL = "allow=1,spec=present,retry=with";

/** For each row, a case that needs it, with the other rows that the case needs. */
const NEEDS: [number, string, number[]][] = [
  [1, `fail/image-download-create_volume-VolumeBackendAPIException/${ALL}`, [1]],
  [2, "resched/image-second-download-attempt-after-a-rescheduled-one", [2]],
  [3, "ok/image-attributes-absent", [3]],
  [4, "fail/image-copy-ImageTooBig/allow=1,spec=empty,retry=with", [4, 18]],
  [5, "fail/image-virtual_size-too-big/allow=1,spec=empty,retry=without", [5, 6, 18]],
  [6, "fail/image-virtual_size-too-big/allow=1,spec=present,retry=without", [6, 18]],
  [7, `fail/snap-origin-volume-gone/${ALL}`, [7, 18]],
  [8, "ok/downloading-status-db-CinderException", [8]],
  [9, "fail/image-metadata-write-DBError/allow=1,spec=empty,retry=with", [9, 18]],
  [10, `fail/image-metadata-write-DBError/${ALL}`, [9, 10, 18]],
  [11, "ok/on-finish-db-CinderException", [11, 18]],
  [12, "resched/scheduler-cast-CinderException", [12, 18]],
  [13, "resched/reschedule_context-none", [13]],
  [14, "ok/raw-row-found-in-error-status", [14, 18]],
  [15, `fail/driver-not-initialized/${ALL}`, [15]],
  [16, `fail/raw-driver-RuntimeError/${ALL}`, [16]],
  [17, "ok/notify-start-CinderException", [17]],
  [18, "fail/raw-driver-VolumeBackendAPIException/allow=1,spec=present,retry=without", [18]],
  [19, "ok/volume-row-deleted-by-driver-time", [19]],
];

/** One change of an end, of each field in turn. */
const CHANGES: [string, (end: Outcome) => Outcome][] = [
  ...Object.entries({
    status: "in-use",
    host: "elsewhere@lvm#pool0",
    provider_location: "iqn.2014:other",
    migration_status: "target:other",
  }).map(([column, value]): [string, (end: Outcome) => Outcome] => [
    `volume.${column}`,
    (end) => ({ ...end, volume: { ...(end.volume ?? aRow()), [column]: value } }),
  ]),
  ...(["bootable", "launched_at_set", "scheduled_at_set"] as const).map(
    (column): [string, (end: Outcome) => Outcome] => [
      `volume.${column}`,
      (end) => ({ ...end, volume: { ...(end.volume ?? aRow()), [column]: !(end.volume ?? aRow())[column] } }),
    ],
  ),
  ["a volume or none", (end) => ({ ...end, volume: end.volume === null ? aRow() : null })],
  ["source_status", (end) => ({ ...end, source_status: "error" })],
  ["glance_metadata", (end) => ({ ...end, glance_metadata: { ...end.glance_metadata, image_id: "evil" } })],
  ["one notification more", (end) => ({ ...end, notifications: [...end.notifications, aNotification()] })],
  [
    "who publishes the notifications",
    (end) => ({ ...end, notifications: end.notifications.map((each) => ({ ...each, publisher_host: "h@b#p" })) }),
  ],
  ["a cast more or less", (end) => ({ ...end, casts: end.casts.length > 0 ? [] : [aCast()] })],
  ["one driver call more", (end) => ({ ...end, driver_calls: [...end.driver_calls, "create_cloned_volume"] })],
  ["another error", (end) => ({ ...end, error: "SomethingElse" })],
];

function aRow(): NonNullable<Outcome["volume"]> {
  const flags = { bootable: false, launched_at_set: false, scheduled_at_set: false };
  return { status: "error", host: "h@b#p", provider_location: null, migration_status: null, ...flags };
}

function aNotification(): Outcome["notifications"][number] {
  const event = "volume.create.start";
  return { event, payload_status: "available", publisher_host: "h@b#p", has_glance_metadata: true };
}

function aCast(): Outcome["casts"][number] {
  return {
    volume: "VOL",
    image_id: null,
    snapshot_id: null,
    size: 1,
    retry: { num_attempts: 7, backends: [], hosts: [] },
    exc_names: null,
    row_at_cast: { status: "error", host: null, scheduled_at_set: true },
  };
}

it("every row has its case here, and they are numbered in order", () => {
  expect(NEEDS.map(([number]) => number)).toEqual(DIFFERENCES.map(({ number }) => number));
  expect(DIFFERENCES.map(({ number }) => number)).toEqual(DIFFERENCES.map((_row, index) => index + 1));
});

describe.each(NEEDS)("row %i", (number, name, rows) => {
  const { given, references } = caseNamed(name);
  const end = endOf(name);

  it("explains how its case ends", () => {
    expect(compare(given, end, references)).toMatchObject({ kind: "deliberate difference", numbers: rows });
  });

  it("is needed for it", () => {
    const others = DIFFERENCES.filter((row) => row.number !== number);
    expect(compare(given, end, references, others).kind).toBe("different");
  });

  it.each(CHANGES)("does not excuse a change of %s", (_field, change) => {
    expect(compare(given, change(end), references).kind).toBe("different");
  });

  it("does not concern a case that gives no reason for it", () => {
    const plain = caseNamed("ok/raw-model_update").given;
    const row = DIFFERENCES[number - 1];
    const looked = { given: plain, expected: endOf(name), actual: endOf(name) };
    // The row of a failed create's notification applies to every case; each other row applies to certain cases.
    expect(number === 18 || row?.concerns(plain) === false || isSame(row?.expect(looked) ?? end, end)).toBe(true);
  });
});

describe("an end that belongs to another case", () => {
  const raw = CASES.filter(({ case: name }) => name.startsWith("ok/raw"));

  it.each(raw.map(({ case: name }) => name))("is not explained for %s", (name) => {
    const { given, references } = caseNamed(name);
    for (const [other, end] of Object.entries(ENDS).filter(([each]) => each !== name)) {
      const verdict = compare(given, end, references).kind;
      const isEqual = Object.values(references).some((reference) => isSame(reference, end));
      expect(verdict === "different" || isEqual, `${other} passes for ${name}`).toBe(true);
    }
  });
});
