import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DynamoDbProjectRepository } from "../../adapters/dynamodb/project-repository.ts";
import { holderOfQuota, type ListEntry, type ProjectRepository } from "../../core/projects.ts";
import { startTables, type TestTables } from "../support/dynalite.ts";
import { ProjectsFake } from "../../simulation/stores/projects.ts";

const NOW = new Date("2026-01-01T00:00:00.000Z");
const clock = { now: () => NOW };

let tables: TestTables;
let project: string;

beforeAll(async () => {
  tables = await startTables();
});

afterAll(() => tables.close());

beforeEach(() => {
  project = randomUUID();
});

const IMPLEMENTATIONS: [string, () => ProjectRepository][] = [
  ["in DynamoDB", () => new DynamoDbProjectRepository({ client: tables.client, tableName: "projects", clock })],
  ["in memory", () => new ProjectsFake(clock)],
];

describe.each(IMPLEMENTATIONS)("projects %s", (_name, make) => {
  let projects: ProjectRepository;

  beforeEach(() => {
    projects = make();
  });

  const entry = (second: number, columns: Partial<ListEntry> = {}): ListEntry => ({
    kind: "volume",
    id: randomUUID(),
    projectId: project,
    createdAt: new Date(NOW.getTime() + second * 1000).toISOString(),
    name: null,
    ...columns,
  });

  it("a usage of nothing, as that of the type of a volume without one, is reserved, cancelled and given back", async () => {
    const nothing = { projectId: project, holder: "volume:one", usage: {}, limits: {} };
    expect(await projects.reserve(nothing)).toEqual({ reservedAt: NOW.toISOString() });
    await projects.cancel(project, "volume:one");
    await projects.giveBack(project, "volume:two", {}, async () => true);
    await projects.confirm(project, "volume:two");
    expect(await projects.quota(project)).toEqual({ used: {}, limits: {}, moving: {} });
  });

  describe("a name", () => {
    it("is the first one's who claims it, however many claim it at once", async () => {
      const name = randomUUID();
      const claims = await Promise.all(
        ["one", "two", "three"].map((who) => projects.claimName("volume_type", name, who)),
      );
      const found = await projects.findName("volume_type", name);
      expect(new Set(claims.map(({ holder }) => holder))).toEqual(new Set([found?.holder]));
      expect(await projects.findName("deleted_volume", name)).toBeUndefined();
    });

    it("is free again when its holder gives it up, and not when another one does", async () => {
      const name = randomUUID();
      await projects.claimName("volume_type", name, "one");
      await projects.releaseName("volume_type", name, "two");
      expect(await projects.claimName("volume_type", name, "two")).toMatchObject({ holder: "one" });
      await projects.releaseName("volume_type", name, "one");
      expect(await projects.claimName("volume_type", name, "two")).toMatchObject({ holder: "two" });
    });

    it("passes to one who names the claim that it replaces", async () => {
      const name = randomUUID();
      const replaces = await projects.claimName("volume_type", name, "one");
      const other = { ...replaces, holder: "nobody" };
      expect(await projects.claimName("volume_type", name, "two", { replaces: other })).toMatchObject({
        holder: "one",
      });
      expect(await projects.claimName("volume_type", name, "two", { replaces })).toMatchObject({ holder: "two" });
    });

    it("is free when it has expired", async () => {
      const name = randomUUID();
      await projects.claimName("deleted_volume", name, "one", { expiresAt: NOW });
      expect(await projects.findName("deleted_volume", name)).toBeUndefined();
      expect(await projects.claimName("deleted_volume", name, "two")).toMatchObject({ holder: "two" });
    });
  });

  describe("a correction of the usage", () => {
    const usage = { volumes: 1, gigabytes: 3 };

    async function quotaOf() {
      const all = await projects.listQuotas();
      const found = all.find(({ projectId }) => projectId === project);
      if (found === undefined) {
        throw new Error("the project has no quota");
      }
      return found.quota;
    }

    it("is written when nothing has changed since the quota was read", async () => {
      await projects.reserve({ projectId: project, holder: "volume:one", usage, limits: {} });
      await projects.confirm(project, "volume:one");
      expect(await projects.correctUsage(project, await quotaOf(), { volumes: 4 })).toBe(true);
      expect((await projects.quota(project)).used).toEqual({ volumes: 4 });
    });

    it("is not written while something moves, nor after a change", async () => {
      await projects.reserve({ projectId: project, holder: "volume:one", usage, limits: {} });
      expect(await projects.correctUsage(project, await quotaOf(), {})).toBe(false);
      await projects.confirm(project, "volume:one");
      const read = await quotaOf();
      await projects.giveBack(project, "volume:one", usage, async () => true);
      await projects.reserve({ projectId: project, holder: "volume:two", usage, limits: {} });
      await projects.confirm(project, "volume:one");
      await projects.confirm(project, "volume:two");
      expect(await projects.correctUsage(project, read, {})).toBe(false);
      expect((await projects.quota(project)).used).toEqual(usage);
    });
  });

  describe("the list", () => {
    it("has the newest first, in pages, and of each kind its own", async () => {
      const entries = [1, 2, 3, 4, 5].map((second) => entry(second));
      for (const each of [...entries, entry(9, { kind: "snapshot" }), entry(9, { projectId: randomUUID() })]) {
        await projects.enter(each);
      }
      const first = await projects.list(project, "volume", { limit: 2 });
      const rest = await projects.list(project, "volume", { limit: Infinity, after: first.at(-1) });
      expect([...first, ...rest]).toEqual(entries.toReversed());
    });

    it("orders entries of one moment by their ids, so that no page leaves one out", async () => {
      const ids = Array.from({ length: 7 }, () => randomUUID());
      for (const id of ids) {
        await projects.enter(entry(1, { id }));
      }
      const found: string[] = [];
      for (let page = await projects.list(project, "volume", { limit: 3 }); page.length > 0;) {
        found.push(...page.map(({ id }) => id));
        page = await projects.list(project, "volume", { limit: 3, after: page.at(-1) });
      }
      expect(found).toEqual(ids.toSorted().toReversed());
    });

    it("finds by the exact name, whatever the name is made of", async () => {
      const names = ["a", "A", "a#b", "ü ✔ 日", "x".repeat(255)];
      const entries = names.map((name, second) => entry(second, { name }));
      for (const each of [...entries, entry(8), entry(9, { name: "a" })]) {
        await projects.enter(each);
      }
      for (const name of names.slice(1)) {
        expect((await projects.list(project, "volume", { limit: 9, name })).map((each) => each.name)).toEqual([name]);
      }
      expect(await projects.list(project, "volume", { limit: 9, name: "a" })).toHaveLength(2);
      expect(await projects.list(project, "volume", { limit: 1, name: "a" })).toMatchObject([
        { createdAt: entry(9).createdAt },
      ]);
    });

    it("follows a new name, and keeps nothing of an entry that has left", async () => {
      const one = entry(1, { name: "old" });
      await projects.enter(one);
      await projects.rename(one, "new");
      expect(await projects.list(project, "volume", { limit: 9, name: "old" })).toEqual([]);
      expect(await projects.list(project, "volume", { limit: 9, name: "new" })).toHaveLength(1);
      await projects.rename(one, null);
      expect(await projects.list(project, "volume", { limit: 9 })).toMatchObject([{ name: null }]);
      await projects.leave(one);
      await projects.leave(one);
      await projects.rename(one, "ghost");
      expect(await projects.list(project, "volume", { limit: 9 })).toEqual([]);
    });

    it("of every project is for administrators", async () => {
      const one = entry(1);
      await projects.enter(one);
      expect(await projects.listAll("volume")).toContainEqual(one);
    });
  });

  it("corrects the name of an entry unless it was renamed since it was read", async () => {
    const one = entry(1, { name: "old" });
    await projects.enter(one);
    const read = async (): Promise<ListEntry> =>
      (await projects.listAll("volume")).find(({ id }) => id === one.id) ?? expect.fail();
    const before = await read();
    await projects.rename(one, "new");
    await projects.correctName(before, "late");
    expect(await read()).toMatchObject({ name: "new", renamedAt: NOW.toISOString() });
    await projects.correctName(await read(), null);
    expect(await read()).toMatchObject({ name: null });
  });

  it("confirms the reservation of a time, and no other one", async () => {
    const holder = holderOfQuota("volume", randomUUID());
    await projects.reserve({ projectId: project, holder, usage: { volumes: 1 }, limits: {} });
    await projects.confirm(project, holder, "2025-01-01T00:00:00.000Z");
    expect((await projects.quota(project)).moving).toHaveProperty([holder]);
    await projects.confirm(project, holder, NOW.toISOString());
    expect((await projects.quota(project)).moving).toEqual({});
  });

  describe("the quota", () => {
    const reserve = (id: string, gigabytes = 1, limits: Record<string, number> = { volumes: 3, gigabytes: 10 }) =>
      projects.reserve({
        projectId: project,
        holder: holderOfQuota("volume", id),
        usage: { volumes: 1, gigabytes },
        limits,
      });
    const used = async () => (await projects.quota(project)).used;

    it("is taken whole or not at all", async () => {
      expect(await reserve("a", 8)).toEqual({ reservedAt: NOW.toISOString() });
      expect(await reserve("b", 3)).toMatchObject({ exceeded: "gigabytes" });
      expect(await reserve("b", 2)).toEqual({ reservedAt: NOW.toISOString() });
      expect(await used()).toEqual({ volumes: 2, gigabytes: 10 });
    });

    it("has no room where the limit is 0, and all of it where there is none", async () => {
      expect(await reserve("a", 1, { volumes: 0 })).toMatchObject({ exceeded: "volumes" });
      expect(await reserve("a", 5_000_000, { volumes: -1 })).toHaveProperty("reservedAt");
    });

    it("is never exceeded by many at once", async () => {
      const results = await Promise.all(Array.from({ length: 12 }, (_each, index) => reserve(`v${index}`)));
      expect(results.filter((result) => "reservedAt" in result)).toHaveLength(3);
      expect(await used()).toEqual({ volumes: 3, gigabytes: 3 });
    });

    it("takes the first reservations of a project that arrive at once", async () => {
      for (let round = 0; round < 5; round += 1) {
        project = randomUUID();
        const results = await Promise.all(["a", "b", "c"].map((id) => reserve(id)));
        expect(results.filter((result) => "exceeded" in result)).toEqual([]);
        expect(await used()).toEqual({ volumes: 3, gigabytes: 3 });
      }
    });

    it("keeps the limits that are set while another request makes the project's item", async () => {
      await Promise.all([projects.setLimits(project, { volumes: 7 }), projects.setLimits(project, { snapshots: 8 })]);
      expect((await projects.quota(project)).limits).toEqual({ volumes: 7, snapshots: 8 });
    });

    it("counts a holder once, however often it reserves", async () => {
      await Promise.all(Array.from({ length: 5 }, () => reserve("a")));
      expect(await used()).toEqual({ volumes: 1, gigabytes: 1 });
    });

    it("is given back once, however often and by how many it is asked for", async () => {
      await reserve("a", 4);
      await projects.confirm(project, "volume:a");
      const giveBack = () => projects.giveBack(project, "volume:a", { volumes: 1, gigabytes: 4 }, async () => true);
      await Promise.all([giveBack(), giveBack(), giveBack()]);
      await giveBack();
      expect(await used()).toEqual({ volumes: 0, gigabytes: 0 });
    });

    it("is not given back again by a call that comes when the record is gone and forgotten", async () => {
      await reserve("a", 4);
      await projects.confirm(project, "volume:a");
      let exists = true;
      const giveBack = (isStillThere: () => Promise<boolean>) =>
        projects.giveBack(project, "volume:a", { volumes: 1, gigabytes: 4 }, isStillThere);
      // The late call has read the record just before another one removes it.
      await giveBack(async () => {
        const seen = exists;
        if (seen) {
          exists = false;
          await giveBack(async () => true);
          await projects.leave(entry(1, { id: "a" }));
        }
        return seen;
      });
      expect(await used()).toEqual({ volumes: 0, gigabytes: 0 });
    });

    it("forgets nothing but the movement that is confirmed or cancelled", async () => {
      await reserve("a", 2);
      await reserve("b", 3);
      await projects.cancel(project, "volume:a");
      await projects.cancel(project, "volume:a");
      await projects.confirm(project, "volume:none");
      expect(await projects.quota(project)).toMatchObject({
        used: { volumes: 1, gigabytes: 3 },
        moving: { "volume:b": { kind: "taken" } },
      });
      await projects.confirm(project, "volume:b");
      expect((await projects.quota(project)).moving).toEqual({});
    });

    it("of a project that has nothing is empty, and may be settled all the same", async () => {
      await projects.confirm(project, "volume:a");
      await projects.cancel(project, "volume:a");
      expect(await projects.quota(project)).toEqual({ used: {}, limits: {}, moving: {} });
    });

    it("is read together with other quotas and claims of names, in the order in which they are asked for", async () => {
      const [other, name] = [randomUUID(), randomUUID()];
      await projects.setLimits(project, { volumes: 5 });
      const claim = await projects.claimName("volume_type", name, "holder");
      const expired = await projects.claimName("deleted_volume", name, "holder", { expiresAt: new Date(0) });
      const none = { used: {}, limits: {}, moving: {} };
      expect(await projects.readTogether([other, project, other], [expired, claim])).toEqual({
        quotas: [none, { ...none, limits: { volumes: 5 } }, none],
        claims: [undefined, claim],
      });
    });

    it("has limits of its own until they are set back", async () => {
      await projects.setLimits(project, { volumes: 5, "volumes_a-b": -1 });
      expect((await projects.quota(project)).limits).toEqual({ volumes: 5, "volumes_a-b": -1 });
      await projects.setLimits(project, { volumes: null, gigabytes: 7 });
      expect((await projects.quota(project)).limits).toEqual({ "volumes_a-b": -1, gigabytes: 7 });
    });
  });
});

it("the store and the fake agree after any sequence of changes", async () => {
  const holder = fc.constantFrom("volume:a", "volume:b", "volume:c");
  const step = fc.oneof(
    fc.record({ kind: fc.constant("reserve" as const), holder, gigabytes: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constantFrom("confirm" as const, "cancel" as const), holder }),
    fc.record({ kind: fc.constant("giveBack" as const), holder, exists: fc.boolean() }),
    fc.record({ kind: fc.constant("limit" as const), limit: fc.option(fc.integer({ min: -1, max: 5 })) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const id = randomUUID();
      const both = IMPLEMENTATIONS.map(([, make]) => make());
      for (const each of steps) {
        const answers = await Promise.all(both.map((projects) => apply(projects, id, each)));
        expect(answers[0]).toEqual(answers[1]);
        const [stored, remembered] = await Promise.all(both.map((projects) => projects.quota(id)));
        expect(stored).toEqual(remembered);
      }
    }),
    { numRuns: 40, seed: 7 },
  );
});

type Step =
  | { kind: "reserve"; holder: string; gigabytes: number }
  | { kind: "confirm" | "cancel"; holder: string }
  | { kind: "giveBack"; holder: string; exists: boolean }
  | { kind: "limit"; limit: number | null };

function apply(projects: ProjectRepository, projectId: string, step: Step): Promise<unknown> {
  switch (step.kind) {
    case "reserve": {
      const usage = { volumes: 1, gigabytes: step.gigabytes };
      return projects.reserve({ projectId, holder: step.holder, usage, limits: { volumes: 2, gigabytes: 6 } });
    }
    case "confirm":
    case "cancel":
      return projects[step.kind](projectId, step.holder);
    case "giveBack":
      return projects.giveBack(projectId, step.holder, { volumes: 1, gigabytes: 1 }, async () => step.exists);
    case "limit":
      return projects.setLimits(projectId, { volumes: step.limit });
    default:
      return step satisfies never;
  }
}
