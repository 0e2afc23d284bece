import { describe, expect, it, onTestFinished, vi } from "vitest";
import { parseOptions } from "../../verify/chaos/options.ts";
import { randomOf } from "../../verify/chaos/random.ts";
import { planWork } from "../../verify/chaos/work.ts";

describe("the work of a run", () => {
  it("is decided by its seed", () => {
    expect(planWork(randomOf(1), 100)).toEqual(planWork(randomOf(1), 100));
    expect(planWork(randomOf(2), 100)).not.toEqual(planWork(randomOf(1), 100));
  });

  it("has every kind of volume, repeats, deletions, and messages that cannot be read", () => {
    const { wishes, bad } = planWork(randomOf(1), 2000);
    expect(wishes).toHaveLength(2000);
    expect(new Set(wishes.map(({ volumeId }) => volumeId)).size).toBe(2000);
    const shares = (["raw", "image", "snapshot", "clone"] as const).map(
      (kind) => wishes.filter((wish) => wish.kind === kind).length / 2000,
    );
    for (const share of shares) {
      expect(share).toBeGreaterThan(0.01);
    }
    expect(wishes.some(({ repeats }) => repeats > 0)).toBe(true);
    expect(new Set(wishes.map(({ deletion }) => deletion?.after))).toEqual(
      new Set([undefined, "message", "backend", "create", "hang"]),
    );
    expect(wishes.some(({ foreign }) => foreign)).toBe(true);
    expect(wishes.some(({ spoiled }) => spoiled)).toBe(true);
    expect(new Set(bad.map(({ why }) => why)).size).toBe(3);
    for (const { body, marker } of bad) {
      expect(body).toContain(marker);
    }
  });

  it.each([60, 2000])("of %i volumes, goes through the API and by message, in projects with limits too", (volumes) => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const { wishes, limits } = planWork(randomOf(seed), volumes);
      expect(wishes.some(({ byApi }) => !byApi)).toBe(true);
      expect(wishes.filter(({ byApi }) => byApi).length).toBeGreaterThan(volumes / 2);
      const abandoned = wishes.filter((wish) => wish.abandoned);
      expect(abandoned.length).toBeGreaterThanOrEqual(1);
      expect(abandoned.length).toBeLessThanOrEqual(8);
      expect(abandoned.some(({ byApi, use, deletion }) => !byApi || use !== null || deletion !== null)).toBe(false);
      // Sources belong to one project, and only messages may ask for them from another one.
      expect(wishes.filter((wish) => wish.byApi && wish.kind !== "raw" && wish.project !== "chaos")).toEqual([]);
      for (const [project, { volumes: most, gigabytes }] of Object.entries(limits)) {
        const there = wishes.filter((wish) => wish.project === project);
        const sum = there.reduce((all, { sizeGib }) => all + sizeGib, 0);
        expect(most === -1 ? gigabytes < sum || sum < 3 : most < there.length || there.length < 3).toBe(true);
      }
    }
  });

  it("uses some of the volumes that the API has made, and none that is deleted", () => {
    const used = planWork(randomOf(1), 2000).wishes.filter(({ use }) => use !== null);
    expect(new Set(used.map(({ use }) => use?.what))).toEqual(new Set(["extend", "snapshot", "reset"]));
    expect(used.some(({ byApi, kind, deletion }) => !byApi || kind !== "raw" || deletion !== null)).toBe(false);
  });

  it.each([60, 300, 2000])(
    "of %i volumes, asks for some on the backend that hangs and deletes some of them",
    (volumes) => {
      for (let seed = 1; seed <= 20; seed += 1) {
        const { wishes, hangAfter } = planWork(randomOf(seed), volumes);
        const there = wishes.filter(({ zone }) => zone === "hanging");
        expect(there.length).toBeGreaterThanOrEqual(8);
        expect(there.length).toBeLessThan(volumes / 5);
        expect(there.filter(({ kind }) => kind === "snapshot" || kind === "clone")).toEqual([]);
        expect(new Set(there.map(({ deletion }) => deletion?.after ?? "none"))).toEqual(new Set(["none", "hang"]));
        expect(wishes.some(({ zone, deletion }) => zone !== "hanging" && deletion?.after === "hang")).toBe(false);
        expect(hangAfter).toBeGreaterThanOrEqual(Math.floor(volumes * 0.2));
        expect(hangAfter).toBeLessThanOrEqual(volumes / 2);
      }
    },
  );

  it("draws UUIDs that the product takes", () => {
    const random = randomOf(3);
    for (let index = 0; index < 100; index += 1) {
      expect(random.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });
});

describe("the command line", () => {
  const parse = (...argv: string[]) => parseOptions(argv, () => 42);

  it("has defaults, and draws a seed", () => {
    expect(parse()).toEqual({ volumes: 200, faultRate: 0.1, kills: 3, seed: 42, busy: 0, json: false, keep: false });
  });

  it("takes all that it knows", () => {
    const numbers = ["--volumes", "2000", "--fault-rate", "0.25", "--kills", "5", "--seed", "7", "--busy", "2"];
    expect(parse(...numbers, "--json", "--keep")).toEqual({
      volumes: 2000,
      faultRate: 0.25,
      kills: 5,
      seed: 7,
      busy: 2,
      json: true,
      keep: true,
    });
  });

  it.each([
    ["--volumes", "0"],
    ["--volumes", "many"],
    ["--kills", "-1"],
    ["--kills", "1.5"],
    ["--fault-rate", "0.6"],
    ["--fault-rate", "1e-1"],
    ["--seed", "0x10"],
    ["--unknown", "1"],
    ["volumes"],
  ])("refuses %s %s, and has said so in one line", (...argv) => {
    const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    onTestFinished(() => written.mockRestore());
    expect(() => parse(...argv)).toThrow(/^error: /);
    expect(written.mock.calls).toEqual([[expect.stringMatching(/^error: [^\n]+\n$/)]]);
  });
});
