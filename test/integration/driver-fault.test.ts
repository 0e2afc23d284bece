import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { createDrivers } from "../../adapters/drivers.ts";
import { FileDriver } from "../../adapters/file/driver.ts";
import { parseBackends } from "../../core/backends/backends.ts";
import { ERROR_ROUTES, ImageUnacceptable, VolumeBackendAPIException } from "../../core/errors.ts";
import { aVolume, temporaryDirectory, unhurried, uuid } from "../support/drivers.ts";

async function setUp(faults: object[]) {
  const directory = await temporaryDirectory();
  const backends = [
    {
      host: "node@fault",
      driver: "fault",
      options: {
        driver: "file",
        options: { directory: join(directory, "volumes") },
        state_directory: join(directory, "state"),
        faults,
      },
    },
  ];
  /** A driver of its own, as each process has one. */
  const driver = () => createDrivers(parseBackends(backends)).forHost("node@fault#pool");
  return { driver, backends, directory };
}

/** As {@link setUp}, with a file that holds the call, and a wait until the call has met its fault. */
async function setUpHeld(fault: object) {
  const hold_file = join(await temporaryDirectory(), "held");
  await writeFile(hold_file, "");
  const made = await setUp([{ ...fault, hold_file }]);
  const counted = () => readdir(join(made.directory, "state")).catch(() => []);
  return {
    ...made,
    held: () => vi.waitUntil(async () => (await counted()).length > 0),
    release: () => rm(hold_file),
  };
}

test("fails as often as ordered, then does what it wraps", async () => {
  const { driver } = await setUp([{ call: "createVolume", error: "VolumeBackendAPIException", times: 2 }]);
  for (let time = 0; time < 2; time += 1) {
    await expect(driver().createVolume(aVolume(), unhurried())).rejects.toBeInstanceOf(VolumeBackendAPIException);
  }
  expect(await driver().createVolume(aVolume(), unhurried())).toMatchObject({ done: true });
});

test("before the call, nothing was done", async () => {
  const { driver } = await setUp([{ call: "createVolume", error: "VolumeBackendAPIException" }]);
  await expect(driver().createVolume(aVolume(), unhurried())).rejects.toThrow("made to fail");
  expect(await driver().findVolume(uuid(1), null)).toBe("absent");
});

test("after the call, all was done and only the answer is lost", async () => {
  const { driver } = await setUp([{ call: "createVolume", error: "Lambda.Unknown", when: "after", message: "lost" }]);
  await expect(driver().createVolume(aVolume(), unhurried())).rejects.toMatchObject({
    name: "Lambda.Unknown",
    message: "lost",
  });
  expect(await driver().findVolume(uuid(1), null)).toBe("present");
});

test.each([
  ["before", "absent"],
  ["after", "present"],
])(
  "a call waits %s its work while a file is there, and succeeds when the error has the name none",
  async (when, meanwhile) => {
    const { driver, directory, held, release } = await setUpHeld({ call: "createVolume", error: "none", when });
    const sound = new FileDriver("node@fault", { directory: join(directory, "volumes") });
    const answered = vi.fn();
    const creating = driver().createVolume(aVolume(), unhurried());
    void creating.then(answered, answered);
    await held();
    await vi.waitUntil(async () => (await sound.findVolume(uuid(1), null)) === meanwhile);
    expect(answered).not.toHaveBeenCalled();
    await release();
    expect(await creating).toMatchObject({ done: true });
    expect(await sound.findVolume(uuid(1), null)).toBe("present");
  },
);

test("a call that a file holds fails as ordered when the file is gone", async () => {
  const { driver, held, release } = await setUpHeld({ call: "findVolume", error: "VolumeDriverException" });
  const answered = vi.fn();
  const finding = driver().findVolume(uuid(1), null);
  void finding.then(answered, answered);
  await held();
  expect(await driver().findVolume(uuid(1), null)).toBe("absent");
  expect(answered).not.toHaveBeenCalled();
  await release();
  await expect(finding).rejects.toThrow("made to fail");
});

test("fails always when ordered so", async () => {
  const { driver } = await setUp([{ call: "findVolume", error: "VolumeDriverException", times: "always" }]);
  for (let time = 0; time < 5; time += 1) {
    await expect(driver().findVolume(uuid(1), null)).rejects.toMatchObject({ name: "VolumeDriverException" });
  }
});

test("faults of one call are used one after another; other calls are left alone", async () => {
  const { driver } = await setUp([
    { call: "createVolume", error: "VolumeBackendAPIException" },
    { call: "createVolume", error: "VolumeDriverException" },
  ]);
  const names: unknown[] = [];
  for (let time = 0; time < 3; time += 1) {
    names.push(
      await driver()
        .createVolume(aVolume(), unhurried())
        .then(
          () => "done",
          (error: Error) => error.name,
        ),
    );
  }
  expect(names).toEqual(["VolumeBackendAPIException", "VolumeDriverException", "done"]);
});

test("counts calls that come at once, each once", async () => {
  const { driver } = await setUp([{ call: "findVolume", error: "VolumeDriverException", times: 5 }]);
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => driver().findVolume(uuid(1), null)));
  expect(results.filter(({ status }) => status === "rejected")).toHaveLength(5);
});

test.each(Object.keys(ERROR_ROUTES))("%s is raised by its name, with the message as ordered", async (name) => {
  const { driver } = await setUp([{ call: "findVolume", error: name, message: "so ordered" }]);
  await expect(driver().findVolume(uuid(1), null)).rejects.toMatchObject({ name, message: "so ordered" });
});

test("a name of the table is raised as its class", async () => {
  const { driver } = await setUp([{ call: "findVolume", error: "ImageUnacceptable" }]);
  await expect(driver().findVolume(uuid(1), null)).rejects.toBeInstanceOf(ImageUnacceptable);
});

test("crash ends the process, and a new process continues after it", async () => {
  const { driver, backends } = await setUp([{ call: "createVolume", error: "crash", when: "after" }]);
  const script = `
    const { createDrivers } = await import(${JSON.stringify(join(import.meta.dirname, "../../adapters/drivers.ts"))});
    const { parseBackends } = await import(${JSON.stringify(join(import.meta.dirname, "../../core/backends/backends.ts"))});
    const driver = createDrivers(parseBackends(${JSON.stringify(backends)})).forHost("node@fault");
    await driver.createVolume(${JSON.stringify(aVolume())}, { checkpoint: null, remainingTimeMs: () => 900000 });
    process.exit(0);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  expect(await once(child, "exit")).toEqual([1, null]);
  expect(await driver().createVolume(aVolume(), unhurried())).toMatchObject({ done: true });
});

test("timeout never answers", async () => {
  const { backends } = await setUp([{ call: "findVolume", error: "timeout" }]);
  const script = `
    const { createDrivers } = await import(${JSON.stringify(join(import.meta.dirname, "../../adapters/drivers.ts"))});
    const { parseBackends } = await import(${JSON.stringify(join(import.meta.dirname, "../../core/backends/backends.ts"))});
    process.send("ready");
    await createDrivers(parseBackends(${JSON.stringify(backends)})).forHost("node@fault").findVolume("${uuid(1)}");
    process.exit(0);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await once(child, "message");
  const exit = once(child, "exit").then(() => "answered");
  expect(await Promise.race([exit, sleep(500, "waits")])).toBe("waits");
  child.kill("SIGKILL");
  await exit;
});

test("no call returns while the file is there that makes it hang, and those calls fail without an effect when it is gone", async () => {
  const directory = await temporaryDirectory();
  const hang_file = join(directory, "hang");
  const options = {
    driver: "file",
    options: { directory: join(directory, "volumes") },
    state_directory: join(directory, "state"),
    hang_file,
  };
  const driver = createDrivers(parseBackends([{ host: "node@fault", driver: "fault", options }])).forHost("node@fault");
  const sound = new FileDriver("node@fault", { directory: join(directory, "volumes") });
  await driver.createVolume(aVolume(), unhurried());
  await writeFile(hang_file, "");
  const answered = vi.fn();
  const calls = [driver.deleteVolume(uuid(1), null), driver.getVolumeStats()];
  calls.forEach((call) => void call.then(answered, answered));
  await sound.getVolumeStats();
  expect(await sound.findVolume(uuid(1), null)).toBe("present");
  expect(answered).not.toHaveBeenCalled();
  await rm(hang_file);
  for (const call of calls) {
    await expect(call).rejects.toThrow("the backend was restarted");
  }
  expect(await sound.findVolume(uuid(1), null)).toBe("present");
  await driver.deleteVolume(uuid(1), null);
  expect(await sound.findVolume(uuid(1), null)).toBe("absent");
});
