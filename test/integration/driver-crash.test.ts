import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { FileDriver } from "../../adapters/file/driver.ts";
import { aQcow2Image } from "../support/qcow2-writer.ts";
import { aVolume, finishedIn, MIB, sparseContent, temporaryDirectory, unhurried, uuid } from "../support/drivers.ts";

const CHILD = join(import.meta.dirname, "../support/driver-child.ts");
const BYTES = 24 * MIB + 123;
const KILLS = 4;

/** Shorter than the work takes, so that most of the kills meet it. */
const LONGEST_LIFE_MS = 100;

function start(what: string, directory: string, progressFile: string) {
  return spawn(process.execPath, [CHILD, what, directory, progressFile, String(BYTES)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Kills the work again and again, each time somewhere else in it, then lets it finish. */
async function workUnderKills(what: string, directory: string): Promise<void> {
  const progressFile = join(directory, "..", "progress");
  await writeFile(progressFile, "");
  for (let kill = 0; kill < KILLS; kill += 1) {
    const child = start(what, directory, progressFile);
    // It says so when it begins to work.
    await Promise.race([once(child, "exit"), once(child.stdout, "data")]);
    await Promise.race([once(child, "exit"), sleep(Math.random() * LONGEST_LIFE_MS)]);
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
  }
  const last = start(what, directory, progressFile);
  expect(await once(last, "exit")).toEqual([0, null]);
}

async function setUp() {
  const directory = join(await temporaryDirectory(), "volumes");
  const driver = new FileDriver("node@file", { directory });
  await driver.createVolume(aVolume(), unhurried());
  return { directory, path: (number: number) => join(directory, `volume-${uuid(number)}`) };
}

async function firstBytes(path: string, length: number): Promise<Buffer> {
  const file = await open(path, "r");
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, 0);
  await file.close();
  return buffer;
}

test("a staged copy of a qcow2 image that is killed again and again ends with its disk", async () => {
  const { directory, path } = await setUp();
  await workUnderKills("staged", directory);
  const { disk } = aQcow2Image(BYTES);
  expect((await firstBytes(path(1), disk.length)).equals(disk)).toBe(true);
  expect(await finishedIn(directory)).toEqual([`volume-${uuid(1)}`]);
});

test("a clone that is killed again and again ends with its source's bytes", async () => {
  const { directory, path } = await setUp();
  const content = sparseContent(BYTES, 8);
  const source = await open(path(1), "r+");
  await source.write(content, 0, BYTES, 0);
  await source.close();
  await workUnderKills("clone", directory);
  expect((await firstBytes(path(2), BYTES)).equals(content)).toBe(true);
  expect(await finishedIn(directory)).toEqual([`volume-${uuid(1)}`, `volume-${uuid(2)}`]);
});
