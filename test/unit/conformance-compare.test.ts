import { describe, expect, it } from "vitest";
import { compare } from "../../verify/conformance/compare.ts";
import { outcomeOf, type Outcome } from "../../verify/conformance/outcome.ts";
import { recordedOutcome } from "../../verify/conformance/recorded-outcome.ts";
import { asRepeated } from "../../verify/conformance/repeats.ts";
import { unusedRows } from "../../verify/conformance/case-run.ts";
import { DIFFERENCES } from "../../verify/conformance/differences.ts";
import { CASES, caseNamed } from "../support/conformance.ts";
import { aVolume } from "../support/builders.ts";

const RESCHEDULED = "manager/driver-fails-reschedule";

function cinderEnd(name: string): Outcome {
  const { cinder } = caseNamed(name).references;
  if (cinder === undefined) {
    throw new Error(`${name} has no end in Cinder`);
  }
  return cinder;
}

describe("an end is compared with both recordings", () => {
  it.each([
    ["same as both", "ok/raw-model_update", "cinder"],
    ["same as Cinder", "ok/source_vol-bootable-no-meta", "cinder"],
    ["same as seed", "ok/source_vol-bootable-no-meta", "seed"],
    ["same as Cinder", RESCHEDULED, "cinder"],
  ] as const)("%s: %s", (kind, name, from) => {
    const { given, references } = caseNamed(name);
    const end = references[from];
    expect(end === undefined ? undefined : compare(given, end, references)).toEqual({ kind });
  });

  it("and the fields that nothing explains are named, with both values", () => {
    const { given, references } = caseNamed("ok/raw-model_update");
    const end = { ...cinderEnd("ok/raw-model_update"), driver_calls: ["create_volume", "create_volume"] };
    expect(compare(given, end, references)).toEqual({
      kind: "different",
      fields: [
        {
          field: "driver_calls",
          from: "cinder",
          expected: ["create_volume"],
          actual: ["create_volume", "create_volume"],
        },
      ],
    });
  });

  it("but fields that a recording lacks are not compared", () => {
    const { given, references } = caseNamed(RESCHEDULED);
    const end = cinderEnd(RESCHEDULED);
    const [cast] = end.casts;
    expect(cast?.volume).toBeUndefined();
    const told = { ...end, casts: [{ ...cast, volume: "VOL", image_id: null, snapshot_id: null }] } as Outcome;
    expect(compare(given, told, references).kind).toBe("same as Cinder");
    const wrong = { ...told, casts: [{ ...told.casts[0], exc_names: "Error" }] } as Outcome;
    expect(compare(given, wrong, references).kind).toBe("different");
  });

  it("and a case that was recorded of something else is compared with the seed only", () => {
    const name = "fail/image-show-ImageNotFound/allow=0,spec=empty,retry=without";
    expect(Object.keys(caseNamed(name).references)).toEqual(["seed"]);
  });
});

it("the seed's create.start is read as the row's host published it", () => {
  const { given } = caseNamed("ok/raw-model_update");
  const recorded = CASES.find(({ case: name }) => name === "ok/raw-model_update")?.seed ?? null;
  expect(JSON.stringify(recorded)).toContain('"publisher_host":"hostA@lvm"');
  expect(recordedOutcome(recorded, "seed", given)?.notifications[0]?.publisher_host).toBe("hostA@lvm#pool0");
});

describe("repeats", () => {
  it.each([
    ["of one thing are what is expected", ["a", "b"], ["a", "a", "a", "b"], ["a", "a", "a", "b"]],
    ["of more than a state is tried are not", ["a"], ["a", "a", "a", "a"], ["a"]],
    ["apart from each other are not", ["a", "b"], ["a", "b", "a"], ["a", "b"]],
    ["of something else are not", ["a"], ["b", "b"], ["a"]],
    ["of nothing are nothing", [], ["a"], []],
  ])("%s", (_what, expected, actual, taken) => {
    expect(asRepeated(expected, actual)).toEqual(taken);
  });
});

describe("the end of a case here", () => {
  const plan = {
    volumeId: "v",
    sourceId: "s",
    snapshotId: "n",
    imageId: "i",
    given: caseNamed("ok/raw-model_update").given,
  };
  const execution = { status: "SUCCEEDED", error: undefined, output: "{}" };
  const traces = { volume: aVolume({ id: "v" }), source: undefined, events: [], execution };

  it("replaces ids by the recording's names", () => {
    const volume = aVolume({ id: "v", glance_metadata: { image_id: "i", kernel: "other" } });
    expect(outcomeOf(plan, { ...traces, volume }).glance_metadata).toEqual({ image_id: "IMG", kernel: "other" });
  });

  it.each([
    ["of a failed execution is its own", { status: "FAILED", error: "DBError", output: undefined }, "DBError"],
    ["of an aborted one is that", { status: "ABORTED", error: undefined, output: undefined }, "ABORTED"],
    [
      "of one that went back to the scheduler is the failure in its document",
      { ...execution, output: '{"failure": {"Error": "VolumeDriverException"}}' },
      "VolumeDriverException",
    ],
    ["of one that succeeded is undefined", execution, null],
  ])("the error %s", (_what, ended, error) => {
    expect(outcomeOf(plan, { ...traces, execution: ended }).error).toBe(error);
  });

  it("names the error in the last line of retry.exc, and nothing else", () => {
    const cast = (exc: unknown) =>
      outcomeOf(plan, {
        ...traces,
        events: [
          {
            event: "cast",
            message: { volume_id: "v", filter_properties: { retry: { exc } } },
            row: { status: "creating", host: null, scheduled_at: null },
          },
        ],
      }).casts[0];
    expect(cast(["at a", "oslo_db.exception.DBError: boom"])).toMatchObject({ volume: "VOL", exc_names: "DBError" });
    expect(cast(["DBError: boom", "at a"])).toMatchObject({ exc_names: null });
    expect(cast("DBError: boom")).toMatchObject({ exc_names: null });
  });

  it("has no row when the record is gone", () => {
    expect(outcomeOf(plan, { ...traces, volume: undefined }).volume).toBeNull();
  });
});

it("rows that no result needed are reported", () => {
  const numbers = DIFFERENCES.map(({ number }) => number).filter((number) => number !== 4);
  const verdict = { kind: "deliberate difference", from: "seed", numbers } as const;
  expect(unusedRows([{ name: "a", verdict, fields: [] }])).toEqual([4]);
});
