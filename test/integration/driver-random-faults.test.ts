import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createDrivers } from "../../adapters/drivers.ts";
import { FileDriver } from "../../adapters/file/driver.ts";
import { RANDOM_FAULT_KINDS, type RandomFaultKind } from "../../adapters/fault/options.ts";
import { countRandomFaults, drawFault } from "../../adapters/fault/random-faults.ts";
import { parseBackends } from "../../core/backends/backends.ts";
import { aVolume, temporaryDirectory, unhurried, uuid } from "../support/drivers.ts";

const OPTIONS = { seed: 7, rate: 0.1, kinds: [...RANDOM_FAULT_KINDS], slow_milliseconds: 50, late_milliseconds: 50 };

async function setUp(random: object) {
  const directory = await temporaryDirectory();
  const state = join(directory, "state");
  const options = {
    driver: "file",
    options: { directory: join(directory, "volumes") },
    state_directory: state,
    random: { ...OPTIONS, ...random },
  };
  const backends = [{ host: "node@fault", driver: "fault", options }];
  const driver = () => createDrivers(parseBackends(backends)).forHost("node@fault#pool");
  const sound = new FileDriver("node@fault", { directory: join(directory, "volumes") });
  return { driver, sound, struck: async () => countRandomFaults(await readdir(state)) };
}

const always = (kind: RandomFaultKind) => setUp({ rate: 1, kinds: [kind] });

describe("a draw", () => {
  test("is the same for the same seed, call, subject and time", () => {
    const draws = Array.from({ length: 200 }, (_, time) => drawFault(OPTIONS, "createVolume", uuid(1), time));
    const again = Array.from({ length: 200 }, (_, time) => drawFault(OPTIONS, "createVolume", uuid(1), time));
    expect(again).toEqual(draws);
    const other = Array.from({ length: 200 }, (_, time) =>
      drawFault({ ...OPTIONS, seed: 8 }, "createVolume", uuid(1), time),
    );
    expect(other).not.toEqual(draws);
  });

  test("strikes at the rate, with every kind", () => {
    const draws = Array.from({ length: 10_000 }, (_, time) => drawFault(OPTIONS, "createVolume", uuid(1), time));
    const struck = draws.flatMap((fault) => fault ?? []);
    expect(struck.length).toBeGreaterThan(900);
    expect(struck.length).toBeLessThan(1100);
    expect(new Set(struck.map(({ kind }) => kind))).toEqual(new Set(RANDOM_FAULT_KINDS));
    expect(Math.max(...struck.map(({ delayMs }) => delayMs))).toBeLessThanOrEqual(50);
  });
});

test("a refused call has no effect, and is counted", async () => {
  const { driver, struck } = await always("refused");
  await expect(driver().createVolume(aVolume(), unhurried())).rejects.toThrow("made to fail at random");
  await expect(driver().deleteVolume(uuid(1), null)).rejects.toMatchObject({ name: "VolumeBackendAPIException" });
  expect(await struck()).toEqual({ refused: 2 });
});

test("a lost answer has no known name", async () => {
  const { driver } = await always("lost_answer");
  await expect(driver().createVolume(aVolume(), unhurried())).rejects.toMatchObject({ name: "ConnectionLost" });
});

test("a late call fails at once, and has its effect later", async () => {
  const { driver, sound } = await always("late");
  await expect(driver().createVolume(aVolume(), unhurried())).rejects.toMatchObject({ name: "ConnectionLost" });
  await expect.poll(() => sound.findVolume(uuid(1), null)).toBe("present");
});

test("a call that was done, then refused, says that nothing was made", async () => {
  const { driver, sound } = await always("done_then_refused");
  await expect(driver().createVolume(aVolume(), unhurried())).rejects.toMatchObject({
    name: "VolumeBackendAPIException",
  });
  expect(await sound.findVolume(uuid(1), null)).toBe("present");
});

test("a slow call succeeds", async () => {
  const { driver, struck } = await always("slow");
  expect(await driver().createVolume(aVolume(), unhurried())).toMatchObject({ done: true });
  expect(await struck()).toEqual({ slow: 1 });
});

test("calls that name no volume are left alone, and a rate of 0 strikes none", async () => {
  const refusing = await always("refused");
  expect(await refusing.driver().initialized()).toBe(true);
  const { driver, struck } = await setUp({ rate: 0 });
  expect(await driver().createVolume(aVolume(), unhurried())).toMatchObject({ done: true });
  expect(await struck()).toEqual({});
});

test("a repeated call draws again", async () => {
  const { driver, struck } = await setUp({ rate: 0.5, kinds: ["refused"] });
  const outcomes = new Set<string>();
  for (let time = 0; time < 30; time += 1) {
    outcomes.add(
      await driver()
        .findVolume(uuid(1), null)
        .catch(() => "refused"),
    );
  }
  expect(outcomes).toEqual(new Set(["absent", "refused"]));
  expect((await struck())["refused"]).toBeGreaterThan(5);
});

test.each([
  [{ rate: 1.5 }, /rate must be a number from 0 to 1/],
  [{ kinds: ["fire"] }, /kinds must be some of refused/],
  [{ kinds: [] }, /kinds must name one at least/],
  [{ seed: 0.5 }, /seed must be a whole number/],
])("options are refused, with what is wrong: %j", async (random, message) => {
  const { driver } = await setUp(random);
  expect(driver).toThrow(message);
});
