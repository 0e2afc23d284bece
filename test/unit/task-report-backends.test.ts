import { expect, it } from "vitest";
import { type Backend, parseBackends } from "../../core/backends/backends.ts";
import { reportBackends } from "../../core/backends/report-backends.ts";
import { World } from "../support/fakes/world.ts";
import { DriverFake } from "../../simulation/driver.ts";
import { START } from "../support/fakes/world.ts";
import { ownerOf } from "../support/records.ts";

const OWNER = ownerOf("volume");
const NO_LIMITS = { maxProvisionedCapacityGb: null, minFreeCapacityGb: null };

const BACKENDS: Backend[] = parseBackends([
  {
    host: "node@first",
    driver: "file",
    capabilities: { volume_backend_name: "gold", extra: 1 },
    reserved_percentage: 5,
  },
  { host: "node@second", driver: "file", availability_zone: "az2" },
]);

function world(): World {
  const made = new World();
  for (const { host } of BACKENDS) {
    made.drivers.set(host, new DriverFake());
  }
  return made;
}

it("reports each backend's pool with what its driver and its configuration say", async () => {
  const here = world();
  Object.assign(here.drivers.get("node@first") ?? {}, {
    stats: {
      total_capacity_gb: 7,
      free_capacity_gb: "unknown",
      thin_provisioning_support: true,
      thick_provisioning_support: false,
      capabilities: { extra: 0, vendor: "v" },
    },
  });
  expect(await reportBackends(here.deps, BACKENDS)).toEqual([]);
  expect(here.fakes.backends.records.get("node@first#gold")).toMatchObject({
    availability_zone: "nova",
    driver: "file",
    total_capacity_gb: 7,
    free_capacity_gb: "unknown",
    reserved_percentage: 5,
    max_over_subscription_ratio: null,
    thin_provisioning_support: true,
    thick_provisioning_support: false,
    capabilities: { volume_backend_name: "gold", extra: 1, vendor: "v" },
    reported_at: START,
  });
  expect(here.fakes.backends.records.get("node@second#_pool0")).toMatchObject({ availability_zone: "az2" });
});

it("names a backend that cannot report, and reports the others", async () => {
  const here = world();
  here.drivers.delete("node@first");
  expect(await reportBackends(here.deps, BACKENDS)).toEqual([
    { host: "node@first", reason: "Volume driver of node@first not initialized." },
  ]);
  expect([...here.fakes.backends.records.keys()]).toEqual(["node@second#_pool0"]);
});

it("names a backend whose driver is not ready, or whose report is not taken", async () => {
  const here = world();
  Object.assign(here.drivers.get("node@first") ?? {}, { isInitialized: false });
  here.faults.fail("backends.report", new Error("throttled"));
  expect((await reportBackends(here.deps, BACKENDS)).map(({ reason }) => reason)).toEqual([
    "its driver is not initialized",
    "throttled",
  ]);
});

it("a report from a fast clock does not keep out those that come later", async () => {
  const here = world();
  here.now = new Date("2026-01-02T00:00:00.000Z");
  await reportBackends(here.deps, BACKENDS);
  here.now = new Date(START);
  await reportBackends(here.deps, BACKENDS);
  expect(here.fakes.backends.records.get("node@first#gold")?.reported_at).toBe(START);
});

it("a report is stamped once more when the table's first answer corrects the clock", async () => {
  const here = world();
  const local = new Date("2026-01-02T00:00:00.000Z");
  let isCorrected = false;
  const clock = { now: () => (isCorrected ? new Date(START) : local) };
  const times: string[] = [];
  const backends = {
    openCapacity: async () => ({ openGib: 0, everClaimedGib: 0 }),
    report: async ({ reported_at }: { reported_at: string }) => {
      times.push(reported_at);
      isCorrected = true;
    },
  };
  await reportBackends({ ...here.deps, backends, clock }, BACKENDS.slice(0, 1));
  expect(times).toEqual([local.toISOString(), START]);
});

it("names a backend that has a driver's host and no readable configuration", async () => {
  const here = world();
  expect(await reportBackends(here.deps, BACKENDS.slice(0, 1))).toEqual([
    { host: "node@second", reason: "it is not configured" },
  ]);
});

it("subtracts a volume that is finished while its driver counts, whether the driver has seen it or not", async () => {
  const here = world();
  const host = "node@first#gold";
  await reportBackends(here.deps, BACKENDS);
  const backend = await here.deps.backends.get(host);
  const claimed = backend && (await here.deps.backends.claim(backend, OWNER, 4, NO_LIMITS));
  const claimedAt = claimed?.claims[OWNER.volumeId]?.claimed_at ?? "";
  const stats = await here.drivers.get("node@first")?.getVolumeStats();
  Object.assign(here.drivers.get("node@first") ?? {}, {
    getVolumeStats: async () => {
      await here.deps.backends.settle(host, { key: OWNER.volumeId, attempt: OWNER.attempt, claimedAt });
      return stats;
    },
  });
  expect(await reportBackends(here.deps, BACKENDS)).toEqual([]);
  expect((await here.deps.backends.get(host))?.free_capacity_gb).toBe(Number(stats?.free_capacity_gb) - 4);
});
