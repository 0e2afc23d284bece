import { describe, expect, it } from "vitest";
import { asItEnded, type ClaimFate, claimFate, isClaimOverdue, openClaimsOn } from "../../core/claims.ts";
import { type CapacityClaim, fenceOf, type VolumeRecord } from "../../core/records.ts";
import {
  DEFAULT_PHASE_BOUNDS,
  LONG_FUNCTION_TIMEOUT_SECONDS,
  OPEN_CLAIM_BOUND_SECONDS,
  PHASE_BOUND_SECONDS,
} from "../../core/settings/time-bounds.ts";
import { aVolume, aVolumeInFlow, aWorld, FIRST_HOST, SECOND_HOST, VOLUME_ID } from "../support/builders.ts";
import { START } from "../support/fakes/world.ts";

const claim = (columns: Partial<CapacityClaim> = {}) => ({
  host: FIRST_HOST,
  volumeId: VOLUME_ID,
  claim: { attempt: 1, size: 1, claimed_at: START, ...columns },
});

const LATER = "2026-01-01T01:30:00.000Z";
const FAULT = { error: "E", cause: "c", attempt: 1, at: START, attempts: [] };
const created = (columns: Partial<VolumeRecord> = {}, attempt = 1, host = FIRST_HOST) =>
  aVolumeInFlow({ status: "available", deadline: null, phase: null, launched_at: START, ...columns }, attempt, host);
const failed = (columns: Partial<VolumeRecord> = {}, attempt = 1, host = FIRST_HOST) =>
  aVolumeInFlow({ status: "error", deadline: null, fault: { ...FAULT, attempt }, ...columns }, attempt, host);

describe("what the record says of an open claim", () => {
  it.each<[string, VolumeRecord | undefined, ClaimFate]>([
    ["gone", undefined, { action: "release" }],
    ["in the flow on that host", aVolumeInFlow({ phase: "copying", status: "downloading" }), { action: "leave" }],
    ["in the flow on another host", aVolumeInFlow({}, 1, SECOND_HOST), { action: "release" }],
    ["waiting for its first scheduling", aVolume(), { action: "leave" }],
    ["waiting for a scheduling of this attempt", aVolume({ fence: fenceOf(VOLUME_ID, 1) }), { action: "leave" }],
    ["waiting for a later attempt", aVolume({ fence: fenceOf(VOLUME_ID, 2) }), { action: "release" }],
    ["in the flow by a later attempt", aVolumeInFlow({}, 2, SECOND_HOST), { action: "release" }],
    ["being removed by the flow", aVolumeInFlow({ status: "deleting" }), { action: "leave" }],
    ["not to be removed for now", aVolumeInFlow({ status: "error_deleting", fault: FAULT }), { action: "leave" }],
    ["available", created(), { action: "settle", tell: "volume.create.end" }],
    ["a migration's target", created({ status: "migration_target" }), { action: "settle", tell: "volume.create.end" }],
    ["in use by now", created({ status: "in-use" }), { action: "settle", tell: "volume.create.end" }],
    ["being deleted", created({ status: "deleting" }), { action: "settle", tell: "volume.create.end" }],
    ["available on another host", created({}, 1, SECOND_HOST), { action: "release" }],
    ["available by a later attempt", created({}, 2), { action: "release" }],
    ["in error", failed(), { action: "settle", tell: "volume.create.error" }],
    ["in error, and being deleted", failed({ status: "deleting" }), { action: "settle", tell: "volume.create.error" }],
    ["in error by a later attempt", failed({}, 2), { action: "release" }],
    ["in error on another host", failed({}, 1, SECOND_HOST), { action: "release" }],
    [
      "in error, never scheduled",
      failed({ host: null, fence: null }),
      { action: "release", tell: "volume.create.error" },
    ],
    ["in error, waiting for a later attempt", failed({ host: null }, 2), { action: "release" }],
    ["available by an operator's hand", created({ launched_at: null }), { action: "settle" }],
  ])("of a volume that is %s", (_what, volume, fate) => {
    expect(claimFate(claim(), volume)).toEqual(fate);
  });

  it("of a later attempt than the record's is left for that attempt", () => {
    expect(claimFate(claim({ attempt: 2 }), aVolumeInFlow())).toEqual({ action: "leave" });
  });

  it("that a late delivery made again, on the same host and by the same attempt, is given back", () => {
    expect(claimFate(claim({ claimed_at: LATER }), created())).toEqual({ action: "release" });
    expect(claimFate(claim({ claimed_at: LATER }), failed())).toEqual({ action: "release" });
  });

  it("a deletion's mark is forgotten when the record is gone, and only then", () => {
    expect(claimFate(claim({ attempt: 0, size: 0 }), undefined)).toEqual({ action: "settle" });
    expect(claimFate(claim({ attempt: 0, size: 0 }), created({ status: "deleting" }))).toEqual({ action: "leave" });
  });
});

describe("a claim is overdue", () => {
  const at = (seconds: number) => new Date(Date.parse(START) + seconds * 1000);

  it("by its own age where its attempt has no end", () => {
    expect(isClaimOverdue(claim(), undefined, at(OPEN_CLAIM_BOUND_SECONDS))).toBe(false);
    expect(isClaimOverdue(claim(), undefined, at(OPEN_CLAIM_BOUND_SECONDS + 1))).toBe(true);
  });

  it("by the bound of the deployment", () => {
    const bounds = { ...DEFAULT_PHASE_BOUNDS, open_claim: 20 };
    expect(isClaimOverdue(claim(), undefined, at(20), bounds)).toBe(false);
    expect(isClaimOverdue(claim(), undefined, at(21), bounds)).toBe(true);
  });

  it("later where abandoned work may continue: when its function must have ended", () => {
    const mark = claim({ suspected_orphan: true });
    expect(isClaimOverdue(mark, undefined, at(LONG_FUNCTION_TIMEOUT_SECONDS))).toBe(false);
    expect(isClaimOverdue(mark, undefined, at(LONG_FUNCTION_TIMEOUT_SECONDS + 1))).toBe(true);
    const bounds = { ...DEFAULT_PHASE_BOUNDS, open_claim: 20, late_work: 30 };
    expect(isClaimOverdue(mark, undefined, at(30), bounds)).toBe(false);
    expect(isClaimOverdue(mark, undefined, at(31), bounds)).toBe(true);
  });

  it("by the time since its attempt's end, however long that took", () => {
    const line = { host: FIRST_HOST, execution: "e", started_at: START, ended_at: LATER, outcome: "created" as const };
    const volume = created({ attempts: { 1: line } });
    const ended = (Date.parse(LATER) - Date.parse(START)) / 1000;
    expect(isClaimOverdue(claim(), volume, at(ended + OPEN_CLAIM_BOUND_SECONDS))).toBe(false);
    expect(isClaimOverdue(claim(), volume, at(ended + OPEN_CLAIM_BOUND_SECONDS + 1))).toBe(true);
  });

  it("later where a message may still look for it: the volume is in error and was never scheduled", () => {
    const volume = aVolume({ status: "error", deadline: null });
    expect(isClaimOverdue(claim(), volume, at(PHASE_BOUND_SECONDS.queued))).toBe(false);
    expect(isClaimOverdue(claim(), volume, at(PHASE_BOUND_SECONDS.queued + 1))).toBe(true);
  });
});

it("open claims are listed over all backends, the oldest first", async () => {
  const world = aWorld();
  const put = (host: string, id: string, claimed_at: string) =>
    world.fakes.backends.arrangeClaim(host, id, { attempt: 1, size: 1, claimed_at });
  put(FIRST_HOST, "young", LATER);
  put(SECOND_HOST, "old", START);
  const listed = await openClaimsOn(world.fakes.backends, [FIRST_HOST, SECOND_HOST]);
  expect(listed.map(({ host, volumeId }) => [host, volumeId])).toEqual([
    [SECOND_HOST, "old"],
    [FIRST_HOST, "young"],
  ]);
});

it.each([
  ["available", "available"],
  ["migration_target", "migration_target"],
  ["in-use", "available"],
  ["deleting", "available"],
] as const)("a volume that is %s is published late as %s", (status, told) => {
  expect(asItEnded(created({ status }), "volume.create.end").status).toBe(told);
  expect(asItEnded(failed({ status }), "volume.create.error").status).toBe("error");
});
