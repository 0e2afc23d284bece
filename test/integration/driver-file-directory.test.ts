import { execFile } from "node:child_process";
import { chmod, lstat, mkdir, readFile, readdir, stat, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { FileDriver } from "../../adapters/file/driver.ts";
import type { StoredContent } from "../../core/drivers/driver-ports.ts";
import type { FileDriverOptions } from "../../adapters/file/options.ts";
import {
  aSnapshot,
  aVolume,
  imageSource,
  MIB,
  temporaryDirectory,
  unhurried,
  uuid,
  workingIn,
} from "../support/drivers.ts";

async function setUp(options: Partial<FileDriverOptions> = {}) {
  const base = await temporaryDirectory();
  const directory = join(base, "volumes");
  const driver = new FileDriver("node@file", { directory, ...options });
  await mkdir(directory, { mode: 0o700 });
  return { base, directory, driver, path: join(directory, `volume-${uuid(1)}`) };
}

async function contentsOf(driver: FileDriver): Promise<StoredContent[]> {
  const contents: StoredContent[] = [];
  for await (const content of driver.listContents()) {
    contents.push(content);
  }
  return contents;
}

describe("the directory", () => {
  test("is made, for its owner only, as are the files in it", async () => {
    const base = await temporaryDirectory();
    const directory = join(base, "deep", "volumes");
    const driver = new FileDriver("node@file", { directory });
    expect(await driver.initialized()).toBe(true);
    await driver.createVolume(aVolume(), unhurried());
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, `volume-${uuid(1)}`))).mode & 0o777).toBe(0o600);
  });

  test("that is a file leaves the driver uninitialized, and nothing on it", async () => {
    const base = await temporaryDirectory();
    const directory = join(base, "file");
    await writeFile(directory, "");
    const driver = new FileDriver("node@file", { directory });
    expect(await driver.initialized()).toBe(false);
    await expect(driver.createVolume(aVolume(), unhurried())).rejects.toMatchObject({ name: "DriverNotInitialized" });
    await expect(driver.getVolumeStats()).rejects.toMatchObject({ name: "DriverNotInitialized" });
    expect(await driver.findVolume(uuid(1), null)).toBe("absent");
    await driver.deleteVolume(uuid(1), null);
  });

  test.skipIf(process.getuid?.() === 0)("that cannot be written leaves the driver uninitialized", async () => {
    const { directory, driver } = await setUp();
    await chmod(directory, 0o500);
    expect(await driver.initialized()).toBe(false);
  });

  test("on a mount point that is not mounted is never written to, nor believed to be empty", async () => {
    const base = await temporaryDirectory();
    const directory = join(base, "volumes");
    const driver = new FileDriver("node@file", { directory, mount_point: base });
    expect(await driver.initialized()).toBe(false);
    await expect(driver.createVolume(aVolume(), unhurried())).rejects.toMatchObject({ name: "DriverNotInitialized" });
    await expect(driver.findVolume(uuid(1), null)).rejects.toMatchObject({ name: "VolumeBackendAPIException" });
    await expect(driver.deleteVolume(uuid(1), null)).rejects.toMatchObject({ name: "VolumeBackendAPIException" });
    expect(await readdir(base)).toEqual([]);
  });
});

describe("what is not the driver's own", () => {
  test("a link in the place of a volume is not followed, and only the link is deleted", async () => {
    const { base, driver, path } = await setUp();
    const victim = join(base, "victim");
    await writeFile(victim, "precious");
    await symlink(victim, path);
    await expect(driver.createVolume(aVolume(), unhurried())).rejects.toMatchObject({
      name: "VolumeBackendAPIException",
    });
    await expect(driver.createSnapshot(aSnapshot(), aVolume())).rejects.toMatchObject({
      name: "VolumeBackendAPIException",
    });
    await driver.deleteVolume(uuid(1), null);
    expect(await driver.findVolume(uuid(1), null)).toBe("absent");
    expect(await readFile(victim, "utf8")).toBe("precious");
  });

  test("a dangling link does not make a file elsewhere", async () => {
    const { base, driver, path } = await setUp();
    await symlink(join(base, "made"), path);
    await expect(driver.createVolume(aVolume(), unhurried())).rejects.toMatchObject({
      name: "VolumeBackendAPIException",
    });
    await expect(lstat(join(base, "made"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("a link in the place of the work on a volume is not followed, and what it leads to is not deleted", async () => {
    const { base, directory, driver } = await setUp();
    const victim = join(base, "victim");
    await mkdir(victim);
    await writeFile(join(victim, "file"), "precious");
    await driver.createVolume(aVolume({ id: uuid(2) }), unhurried());
    await symlink(victim, join(directory, "attempts", `volume-${uuid(1)}-a1`));
    await expect(driver.createClonedVolume(aVolume(), aVolume({ id: uuid(2) }), unhurried())).rejects.toMatchObject({
      name: "VolumeBackendAPIException",
    });
    await driver.deleteVolume(uuid(1), null);
    expect(await readdir(victim)).toEqual(["file"]);
  });

  test.skipIf(process.platform === "win32")("a FIFO in the place of a source is refused, not waited for", async () => {
    const { driver, path } = await setUp();
    await promisify(execFile)("mkfifo", [path]);
    await expect(driver.createClonedVolume(aVolume({ id: uuid(2) }), aVolume(), unhurried())).rejects.toMatchObject({
      name: "VolumeBackendAPIException",
    });
  });

  test("a directory in the place of a volume is an error, not deleted", async () => {
    const { driver, path } = await setUp();
    await mkdir(path);
    await expect(driver.createVolume(aVolume(), unhurried())).rejects.toMatchObject({
      name: "VolumeBackendAPIException",
    });
    await expect(driver.deleteVolume(uuid(1), null)).rejects.toMatchObject({ name: "VolumeBackendAPIException" });
  });
});

test("a create that died before its file had its name is finished by the next, which leaves nothing of it", async () => {
  const { directory, driver, path } = await setUp();
  await mkdir(join(directory, "attempts", `volume-${uuid(1)}-a1`), { recursive: true });
  await writeFile(join(directory, "attempts", `volume-${uuid(1)}-a1`, `blank-${uuid(9)}`), "");
  await driver.createVolume(aVolume(), unhurried());
  expect((await stat(path)).size).toBe(2 ** 30);
  expect(await workingIn(directory)).toEqual([]);
});

test("lists its volumes and snapshots and what is half-made of them, and nothing else", async () => {
  const { directory, driver } = await setUp();
  await driver.createVolume(aVolume(), unhurried());
  await driver.createSnapshot(aSnapshot(), aVolume());
  await mkdir(join(directory, "attempts", `volume-${uuid(2)}-a3`));
  await driver.closeAttempt(uuid(3), null);
  await writeFile(join(directory, "lost+found"), "");
  const listed = await contentsOf(driver);
  expect(listed.toSorted((a, b) => a.id.localeCompare(b.id))).toMatchObject([
    { kind: "volume", id: uuid(1), partial: false, size_bytes: 2 ** 30 },
    { kind: "volume", id: uuid(2), attempt: 3, partial: true },
    { kind: "snapshot", id: uuid(900), partial: false, size_bytes: 2 ** 30 },
  ]);
});

test("dates unfinished work by the last write to any part of it", async () => {
  const { directory, driver } = await setUp();
  const area = join(directory, "attempts", `volume-${uuid(2)}-a1`);
  const begun = new Date("2026-01-01T00:00:00.000Z");
  const written = new Date("2026-01-01T00:10:00.000Z");
  await mkdir(area, { recursive: true });
  await writeFile(join(area, "copy.data"), "bytes");
  await utimes(join(area, "copy.data"), written, written);
  await utimes(area, begun, begun);
  expect(await contentsOf(driver)).toMatchObject([{ partial: true, modified_at: written }]);
});

test("finds a snapshot, finished or not", async () => {
  const { directory, driver } = await setUp();
  expect(await driver.findSnapshot(uuid(900))).toBe("absent");
  await mkdir(join(directory, "attempts", `snapshot-${uuid(900)}-a1`), { recursive: true });
  expect(await driver.findSnapshot(uuid(900))).toBe("present");
  await driver.deleteSnapshot(uuid(900));
  expect(await driver.findSnapshot(uuid(900))).toBe("absent");
});

describe("capacity", () => {
  test("is as configured, less what the volumes take", async () => {
    const { driver, path } = await setUp({ capacity_gb: 0.5 });
    await driver.createVolume(aVolume(), unhurried());
    expect(await driver.getVolumeStats()).toMatchObject({ total_capacity_gb: 0.5, free_capacity_gb: 0.5 });
    await writeFile(path, Buffer.alloc(256 * MIB, 1));
    expect(await driver.getVolumeStats()).toMatchObject({ total_capacity_gb: 0.5, free_capacity_gb: 0.25 });
  });

  test("is never negative", async () => {
    const { driver, path } = await setUp({ capacity_gb: 0.001 });
    await writeFile(path, Buffer.alloc(8 * MIB, 1));
    expect(await driver.getVolumeStats()).toMatchObject({ free_capacity_gb: 0 });
  });
});

describe("cloning an image where it is", () => {
  async function withImage(content: Uint8Array) {
    const base = await temporaryDirectory();
    const images = join(base, "images");
    await mkdir(images);
    const file = join(images, "disk.raw");
    await writeFile(file, content);
    const driver = new FileDriver("node@file", { directory: join(base, "volumes"), image_directory: images });
    const clone = (url: string, overrides: object = {}) =>
      driver.cloneImage(aVolume(), { direct_url: url, locations: [] }, imageSource(content, overrides), unhurried());
    return { base, images, file, driver, clone };
  }

  // Whether blocks can be shared depends on the file system that the tests run on.
  test("answers true with a whole volume, or false with nothing left", async () => {
    const content = Buffer.alloc(MIB, 5);
    const { base, file, driver, clone } = await withImage(content);
    const { cloned } = await clone(pathToFileURL(file).href);
    const volume = await readFile(join(base, "volumes", `volume-${uuid(1)}`)).catch(() => undefined);
    const found = {
      volume: await driver.findVolume(uuid(1), null),
      bytes: volume?.length,
      same: volume?.subarray(0, MIB).equals(content),
    };
    expect(found).toEqual(
      cloned
        ? { volume: "present", bytes: 2 ** 30, same: true }
        : { volume: "absent", bytes: undefined, same: undefined },
    );
  });

  test.each([
    ["outside the image directory", (base: string) => pathToFileURL(join(base, "secret")).href],
    ["through a link out of it", (base: string) => pathToFileURL(join(base, "images", "link")).href],
    ["with dots out of it", (base: string) => `${pathToFileURL(join(base, "images")).href}/../secret`],
    ["the image directory itself", (base: string) => pathToFileURL(join(base, "images")).href],
    ["on another host", (base: string) => `file://evil${join(base, "images", "disk.raw")}`],
    ["with an encoded slash", (base: string) => `${pathToFileURL(join(base, "images")).href}/..%2fsecret`],
    ["that does not exist", (base: string) => pathToFileURL(join(base, "images", "none")).href],
    ["of another scheme", (base: string) => `http://localhost${join(base, "images", "disk.raw")}`],
  ])("a location %s is not used", async (_what, url) => {
    const { base, images, driver, clone } = await withImage(Buffer.alloc(MIB, 5));
    await writeFile(join(base, "secret"), Buffer.alloc(MIB, 5));
    await symlink(join(base, "secret"), join(images, "link"));
    expect(await clone(url(base))).toMatchObject({ cloned: false });
    expect(await driver.findVolume(uuid(1), null)).toBe("absent");
  });

  test.each([
    ["qcow2", { disk_format: "qcow2" }],
    ["in a container", { container_format: "ova" }],
  ])("an image that is %s is not cloned", async (_what, overrides) => {
    const { file, clone } = await withImage(Buffer.alloc(MIB, 5));
    expect(await clone(pathToFileURL(file).href, overrides)).toMatchObject({ cloned: false });
  });

  test("an image of another size than its file is not cloned", async () => {
    const { file, driver, clone } = await withImage(Buffer.alloc(MIB, 5));
    await truncate(file, 2 * MIB);
    expect(await clone(pathToFileURL(file).href)).toMatchObject({ cloned: false });
    expect(await driver.findVolume(uuid(1), null)).toBe("absent");
  });
});
