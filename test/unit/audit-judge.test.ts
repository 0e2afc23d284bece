import { describe, expect, it } from "vitest";
import { damageOf, judgeSnapshot, judgeVolume } from "../../core/audit/judge.ts";
import type { StoredContent } from "../../core/drivers/driver-ports.ts";
import type { Attempt } from "../../core/records.ts";
import { aSnapshot, aSource, aVolume, aVolumeInFlow, FIRST_HOST, SECOND_HOST, VOLUME_ID } from "../support/builders.ts";

const FIRST = "node@first";
const OLD_BEFORE = new Date("2026-01-02T00:00:00.000Z");
const OLD = "2026-01-01T00:00:00.000Z";
const YOUNG = "2026-01-02T00:00:01.000Z";

function stored(overrides: Partial<StoredContent> = {}): StoredContent {
  return {
    kind: "volume",
    id: VOLUME_ID,
    attempt: 1,
    partial: false,
    size_bytes: 2 ** 30,
    modified_at: new Date(OLD),
    ...overrides,
  };
}

const young = stored({ modified_at: new Date(YOUNG) });
const partial = stored({ partial: true });

/** A line of the ledger for an attempt on the first backend. */
function attemptOnFirst(columns: Partial<Attempt> = {}): Record<string, Attempt> {
  return {
    "1": { host: FIRST_HOST, execution: "x", started_at: OLD, ended_at: OLD, outcome: "rescheduled", ...columns },
  };
}

describe("the size of what is there", () => {
  const STARTED = new Date("2026-01-03T00:00:00.000Z");
  const half = stored({ size_bytes: 2 ** 29 });
  const volume = aSource({ size: 1, launched_at: OLD, updated_at: OLD });

  it.each(["available", "in-use", "backing-up", "migration_target"] as const)(
    "is compared with the record of a volume that is %s",
    (status) => {
      expect(damageOf(stored(), { ...volume, status }, STARTED)).toBeUndefined();
      expect(damageOf(half, { ...volume, status }, STARTED)).toBe(
        `the record is ${status} with 1 GiB, and ${2 ** 29} bytes are there`,
      );
      expect(damageOf(stored({ size_bytes: 2 ** 30 + 1 }), { ...volume, status }, STARTED)).toBeDefined();
    },
  );

  it("is compared with the record of a snapshot", () => {
    expect(damageOf(stored(), aSnapshot({ volume_size: 1, created_at: OLD }), STARTED)).toBeUndefined();
    expect(damageOf(stored(), aSnapshot({ volume_size: 2, created_at: OLD }), STARTED)).toBeDefined();
  });

  it.each([
    ["of a volume that is being created", half, { ...volume, status: "creating" as const }],
    ["of a volume in error", half, { ...volume, status: "error" as const }],
    ["of a volume that is being extended", half, { ...volume, status: "extending" as const }],
    ["of a volume whose extension failed", half, { ...volume, status: "error_extending" as const }],
    ["of a volume that was written since the audit began", half, { ...volume, updated_at: STARTED.toISOString() }],
    ["of unfinished work", { ...half, partial: true }, volume],
    ["of a snapshot that is being taken", half, aSnapshot({ status: "creating", created_at: OLD })],
    ["of a snapshot that was taken since the audit began", half, aSnapshot({ created_at: STARTED.toISOString() })],
  ])("is not compared when it is that %s", (_what, there, record) => {
    expect(damageOf(there, record, STARTED)).toBeUndefined();
  });
});

describe("without a record", () => {
  it("what is old is an orphan", () => {
    expect(judgeVolume(stored(), FIRST, undefined, OLD_BEFORE)).toMatchObject({ verdict: "orphan", notReapable: null });
  });

  it("unfinished work that is old is a leftover", () => {
    expect(judgeVolume(partial, FIRST, undefined, OLD_BEFORE)).toMatchObject({
      verdict: "leftover",
      notReapable: null,
    });
  });

  it.each([YOUNG, "2026-01-02T00:00:00.000Z", "2999-01-01T00:00:00.000Z"])(
    "what was written at %s is nothing yet",
    (at) => {
      expect(judgeVolume(stored({ modified_at: new Date(at) }), FIRST, undefined, OLD_BEFORE)).toEqual({
        verdict: "young",
      });
    },
  );
});

describe("with a record on this backend", () => {
  it.each(["available", "in-use", "deleting"] as const)("a volume that is %s is claimed", (status) => {
    const record = aSource({ id: VOLUME_ID, status, updated_at: YOUNG });
    expect(judgeVolume(stored(), FIRST, record, OLD_BEFORE)).toEqual({ verdict: "claimed" });
  });

  it("the record's pool does not matter: a backend is one place", () => {
    const record = aSource({ id: VOLUME_ID, host: "node@first#other" });
    expect(judgeVolume(stored(), FIRST, record, OLD_BEFORE)).toEqual({ verdict: "claimed" });
  });

  it.each([stored(), partial, young])(
    "whatever there is of a volume in the middle of its creation is claimed",
    (content) => {
      const record = aVolumeInFlow({ phase: "creating", updated_at: OLD });
      expect(judgeVolume(content, FIRST, record, OLD_BEFORE)).toEqual({ verdict: "claimed" });
    },
  );

  it.each(["error", "error_deleting"] as const)("of a volume in %s it is held", (status) => {
    const record = aSource({ id: VOLUME_ID, status });
    expect(judgeVolume(stored(), FIRST, record, OLD_BEFORE).verdict).toBe("held");
    expect(judgeVolume(partial, FIRST, record, OLD_BEFORE).verdict).toBe("held");
  });

  it("of a volume whose deletion has stood still it is held", () => {
    const record = aSource({ id: VOLUME_ID, status: "deleting", updated_at: OLD });
    expect(judgeVolume(stored(), FIRST, record, OLD_BEFORE).verdict).toBe("held");
  });

  it("old unfinished work next to a finished volume is a leftover that is never reaped", () => {
    const record = aSource({ id: VOLUME_ID, updated_at: OLD });
    expect(judgeVolume(partial, FIRST, record, OLD_BEFORE)).toMatchObject({
      verdict: "leftover",
      notReapable: expect.stringContaining("would be deleted with it"),
    });
  });

  it("unfinished work next to a recently finished volume is left alone", () => {
    const record = aSource({ id: VOLUME_ID, updated_at: YOUNG });
    expect(judgeVolume(partial, FIRST, record, OLD_BEFORE)).toEqual({ verdict: "claimed" });
  });
});

describe("with a record on another backend", () => {
  const elsewhere = aSource({ id: VOLUME_ID, host: SECOND_HOST });

  it("what an attempt left long ago is an orphan", () => {
    const record = { ...elsewhere, attempts: attemptOnFirst() };
    expect(judgeVolume(stored(), FIRST, record, OLD_BEFORE)).toMatchObject({ verdict: "orphan", notReapable: null });
  });

  it("what is young is nothing yet, though its attempt ended long ago", () => {
    const record = { ...elsewhere, attempts: attemptOnFirst() };
    expect(judgeVolume(young, FIRST, record, OLD_BEFORE)).toEqual({ verdict: "young" });
  });

  it("what is old is nothing yet while the attempt ended lately: a late create may still write", () => {
    const record = { ...elsewhere, attempts: attemptOnFirst({ ended_at: YOUNG }) };
    expect(judgeVolume(stored(), FIRST, record, OLD_BEFORE)).toEqual({ verdict: "young" });
  });

  it("what the ledger suspects is a suspect until it is old enough to be an orphan", () => {
    const record = { ...elsewhere, attempts: attemptOnFirst({ suspected_orphan: true }) };
    expect(judgeVolume(young, FIRST, record, OLD_BEFORE)).toMatchObject({
      verdict: "suspect",
      detail: expect.stringContaining("attempt 1"),
    });
    expect(judgeVolume(stored(), FIRST, record, OLD_BEFORE)).toMatchObject({
      verdict: "orphan",
      detail: expect.stringContaining("suspected since attempt 1"),
    });
  });

  it("an attempt there whose line never ended protects only while the volume is being created", () => {
    const { ended_at: _, ...open } = attemptOnFirst()["1"] ?? {};
    const attempts = { "1": open as Attempt };
    const inFlow = aVolumeInFlow({ attempts }, 2, SECOND_HOST);
    expect(judgeVolume(stored(), FIRST, inFlow, OLD_BEFORE)).toEqual({ verdict: "young" });
    expect(judgeVolume(stored(), FIRST, { ...elsewhere, attempts }, OLD_BEFORE).verdict).toBe("orphan");
  });

  it.each([
    ["waits for the scheduler", aVolume({ fence: "x-a2", attempts: attemptOnFirst() })],
    ["is created elsewhere", aVolumeInFlow({ attempts: attemptOnFirst() }, 2, SECOND_HOST)],
    [
      "is in error, and may be scheduled again",
      aVolume({ status: "error", deadline: null, attempts: attemptOnFirst() }),
    ],
    ["is to be deleted, but still in the flow", aVolume({ status: "deleting", attempts: attemptOnFirst() })],
  ])("an orphan of a volume that %s is reported, and kept", (_, record) => {
    expect(judgeVolume(stored(), FIRST, record, OLD_BEFORE)).toMatchObject({
      verdict: "orphan",
      notReapable: expect.any(String),
    });
  });
});

describe("snapshots", () => {
  const content = stored({ kind: "snapshot" });

  it.each(["available", "creating", "deleting"] as const)("one that is %s on this backend is claimed", (status) => {
    expect(judgeSnapshot(content, FIRST, aSnapshot({ status }), OLD_BEFORE)).toEqual({ verdict: "claimed" });
  });

  it("one in error is held", () => {
    expect(judgeSnapshot(content, FIRST, aSnapshot({ status: "error" }), OLD_BEFORE).verdict).toBe("held");
  });

  it("one without a record is an orphan when it is old", () => {
    expect(judgeSnapshot(content, FIRST, undefined, OLD_BEFORE)).toMatchObject({
      verdict: "orphan",
      notReapable: null,
    });
    expect(judgeSnapshot({ ...young, kind: "snapshot" }, FIRST, undefined, OLD_BEFORE)).toEqual({ verdict: "young" });
  });

  it("one whose record is on another backend is an orphan, reaped only when that one is available", () => {
    const elsewhere = aSnapshot({ host: SECOND_HOST });
    expect(judgeSnapshot(content, FIRST, elsewhere, OLD_BEFORE)).toMatchObject({
      verdict: "orphan",
      notReapable: null,
    });
    expect(judgeSnapshot(content, FIRST, { ...elsewhere, status: "error" }, OLD_BEFORE)).toMatchObject({
      notReapable: "the snapshot is error",
    });
  });
});
