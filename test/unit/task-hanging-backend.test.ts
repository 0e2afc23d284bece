import { describe, expect, it } from "vitest";
import type { Driver } from "../../core/drivers/driver-ports.ts";
import { VolumeBackendAPIException } from "../../core/errors.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { limitDrivers, type TimeLimit } from "../../core/backends/limited-drivers.ts";
import { reportBackends } from "../../core/backends/report-backends.ts";
import { sweepOverdueVolumes } from "../../core/nets/sweep-overdue-volumes.ts";
import { aVolume, aVolumeInFlow, aWorld, FIRST_HOST, SECOND_HOST } from "../support/builders.ts";
import { uuid } from "../support/drivers.ts";
import type { DriverFake } from "../../simulation/driver.ts";
import { START, World } from "../support/fakes/world.ts";

const LATER = new Date("2026-01-01T03:00:00.000Z");

/** Gives a call up when nothing else is left to do, as a clock would in the end. */
const soon: TimeLimit = async (call) => {
  const late = Promise.withResolvers<never>();
  const wait = (turns: number): void => {
    setImmediate(() => (turns === 0 ? late.reject(new Error("no answer within 7.5 s")) : wait(turns - 1)));
  };
  wait(20);
  return Promise.race([call, late.promise]);
};

const never = (): Promise<never> => new Promise(() => {});

/** Calls that were made to a driver, each of which hangs. */
function hang(driver: DriverFake | undefined): string[] {
  const calls: string[] = [];
  for (const name of ["initialized", "deleteVolume", "findVolume", "getVolumeStats"] as const) {
    Object.assign(driver ?? {}, { [name]: () => (calls.push(name), never()) });
  }
  return calls;
}

/** A volume whose removal has begun on a host, and has to continue. */
function removal(number: number, host: string): VolumeRecord {
  return aVolumeInFlow({ id: uuid(number), host, status: "deleting", phase: "created", delete_requested_at: START });
}

function world(...volumes: VolumeRecord[]): World {
  const made = aWorld(...volumes);
  made.now = LATER;
  for (const { id, host } of volumes) {
    made.drivers.get(host ?? "")?.volumes.set(id, { from: "nothing" });
  }
  return made;
}

const sweep = (here: World) => sweepOverdueVolumes({ ...here.deps, timeLimit: soon });

describe("a sweep with a backend that hangs", () => {
  const removals = Array.from({ length: 50 }, (_, index) => removal(100 + index, FIRST_HOST));

  it("decides volumes and removes those of other backends, and asks the one that hangs once", async () => {
    const stuck = aVolume({ id: uuid(1), deadline: "2026-01-01T02:59:00.000Z" });
    const here = world(...removals, removal(200, SECOND_HOST), stuck);
    const calls = hang(here.drivers.get(FIRST_HOST));
    const result = await sweep(here);
    expect(result).toMatchObject({ overdue: 52, errored_out: 2, silent_backends: [{ host: "node@first", left: 49 }] });
    expect(calls).toEqual(["initialized"]);
    expect(here.fakes.volumes.records.get(stuck.id)?.status).toBe("error");
    expect(here.fakes.volumes.records.has(uuid(200))).toBe(false);
  });

  it("names the backend, and leaves the volume for the next sweep with the reason", async () => {
    const here = world(removal(100, FIRST_HOST));
    hang(here.drivers.get(FIRST_HOST));
    const { failures } = await sweep(here);
    expect(failures).toEqual([
      {
        volume_id: uuid(100),
        error: "BackendNotAnswering",
        cause: "Backend node@first does not answer: initialized: no answer within 7.5 s",
      },
    ]);
    expect(await here.fakes.volumes.get(uuid(100))).toMatchObject({
      status: "error_deleting",
      fault: { error: "BackendNotAnswering" },
      deadline: "2026-01-01T03:04:00.000Z",
    });
  });

  it("asks no backend before everything else is done", async () => {
    const here = world(...removals, aVolume({ id: uuid(1), deadline: "2026-01-01T02:59:00.000Z" }));
    await sweep(here);
    const firstOfBackend = here.faults.calls.findIndex((call) => call.startsWith("driver."));
    const lastDecision = here.faults.calls.lastIndexOf("volumes.markUnschedulable");
    expect(lastDecision).toBeGreaterThan(0);
    expect(firstOfBackend).toBeGreaterThan(lastDecision);
    expect(here.faults.calls.lastIndexOf("backends.list", firstOfBackend)).toBeGreaterThan(0);
    expect(here.fakes.volumes.records.size).toBe(1);
  });

  it("continues with a backend that only refuses", async () => {
    const here = world(...removals);
    here.faults.fail("driver.deleteVolume", new VolumeBackendAPIException("no"), { times: 10 });
    const result = await sweep(here);
    expect(result).toMatchObject({ errored_out: 40 });
    expect(result.failures).toHaveLength(10);
    expect(result).not.toHaveProperty("silent_backends");
  });

  it("asks again in the next sweep", async () => {
    const here = world(...removals);
    const driver = here.drivers.get(FIRST_HOST);
    hang(driver);
    await sweep(here);
    for (const name of ["initialized", "deleteVolume", "findVolume"]) {
      Reflect.deleteProperty(driver ?? {}, name);
    }
    here.now = new Date("2026-01-01T04:00:00.000Z");
    expect(await sweep(here)).toMatchObject({ errored_out: 50, failures: [] });
  });
});

describe("a driver with a time limit", () => {
  it("passes on what it answers and what it throws", async () => {
    const here = world(removal(1, FIRST_HOST));
    const limited = limitDrivers(here.deps.drivers, soon);
    expect(await limited.forHost(FIRST_HOST).findVolume(uuid(1), null)).toBe("present");
    here.faults.fail("driver.findVolume", new VolumeBackendAPIException("no"));
    await expect(limited.forHost(FIRST_HOST).findVolume(uuid(1), null)).rejects.toThrow(VolumeBackendAPIException);
    expect(limited.isSilent(FIRST_HOST)).toBe(false);
  });

  it("is not asked again after its first time-out, nor is it under another pool of its host", async () => {
    const calls: string[] = [];
    const driver = { findVolume: async (id: string) => (calls.push(id), never()) } as unknown as Driver;
    const limited = limitDrivers({ hosts: [], forHost: () => driver }, soon);
    await expect(limited.forHost("a@b#p").findVolume("1", null)).rejects.toMatchObject({ name: "BackendNotAnswering" });
    await expect(limited.forHost("a@b#q").findVolume("2", null)).rejects.toThrow(
      "Backend a@b does not answer: findVolume: no answer",
    );
    expect(calls).toEqual(["1"]);
    expect(limited.isSilent("a@b")).toBe(true);
    expect(limited.isSilent("a@c")).toBe(false);
  });

  it("is asked by each net of a process until four calls have not returned, and again when one has", async () => {
    const pending: (() => void)[] = [];
    const findVolume = () =>
      new Promise<string>((resolve) => {
        pending.push(() => resolve("absent"));
      });
    const drivers = { hosts: [], forHost: () => ({ findVolume }) as unknown as Driver };
    const givenUp = new Map<string, number>();
    const ask = (host: string) => limitDrivers(drivers, soon, givenUp).forHost(host).findVolume("1", null);
    for (let net = 1; net <= 6; net += 1) {
      const why = net <= 4 ? "findVolume: no answer" : "4 earlier calls have not returned";
      await expect(ask("a@b")).rejects.toThrow(`Backend a@b does not answer: ${why}`);
    }
    expect(pending).toHaveLength(4);
    await expect(ask("a@c")).rejects.toThrow("Backend a@c does not answer: findVolume: no answer");
    pending[0]?.();
    await new Promise(setImmediate);
    expect(givenUp.get("a@b")).toBe(3);
    await expect(ask("a@b")).rejects.toThrow("findVolume: no answer");
  });

  it("reads private members of the driver that it wraps", async () => {
    class Private {
      readonly #answer = "absent" as const;
      async findVolume() {
        return this.#answer;
      }
    }
    const limited = limitDrivers({ hosts: [], forHost: () => new Private() as unknown as Driver }, soon);
    expect(await limited.forHost("a@b").findVolume("1", null)).toBe("absent");
  });
});

it("a report names a backend that hangs and takes those of the others", async () => {
  const here = new World();
  const backends = ["first", "second"].map((name) => {
    const driver = here.addBackend(`node@${name}#pool`);
    here.drivers.set(`node@${name}`, driver);
    return {
      host: `node@${name}`,
      driver: "file",
      availability_zone: "nova",
      options: {},
      capabilities: { volume_backend_name: "pool" },
      reserved_percentage: 0,
      max_over_subscription_ratio: null,
    };
  });
  Object.assign(here.drivers.get("node@first") ?? {}, { getVolumeStats: never });
  here.now = LATER;
  expect(await reportBackends({ ...here.deps, timeLimit: soon }, backends)).toEqual([
    { host: "node@first", reason: "Backend node@first does not answer: getVolumeStats: no answer within 7.5 s" },
  ]);
  expect(here.fakes.backends.records.get("node@second#pool")?.reported_at).toBe(LATER.toISOString());
  expect(here.fakes.backends.records.get("node@first#pool")?.reported_at).toBe(START);
});
