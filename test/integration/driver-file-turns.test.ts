import { writeFileSync } from "node:fs";
import { open, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test, vi } from "vitest";
import { copyFileInTurns } from "../../adapters/file/copy-file.ts";
import { type Place, volumePlace } from "../../adapters/file/paths.ts";
import { WorkArea } from "../../adapters/file/work-area.ts";
import { FileDriver } from "../../adapters/file/driver.ts";
import type { Work } from "../../core/drivers/driver-ports.ts";
import { volumeName } from "../../core/records.ts";
import type { WorkCheckpoint, WorkStatus } from "../../core/spec.ts";
import {
  aVolume,
  finishedIn,
  GIB,
  hurried,
  MIB,
  sparseContent,
  temporaryDirectory,
  unhurried,
  uuid,
} from "../support/drivers.ts";

// Other files in the same process share their modules, which have the real file system.
vi.hoisted(() => vi.resetModules());
afterAll(() => vi.resetModules());

// Without reflinks, so that bytes are copied wherever these tests run.
vi.mock("node:fs/promises", async (importOriginal) => ({
  ...(await importOriginal<typeof import("node:fs/promises")>()),
  copyFile: () => Promise.reject(Object.assign(new Error("copyfile"), { code: "ENOTSUP", syscall: "copyfile" })),
}));

const SEGMENT_BYTES = 16 * MIB;

/** Not the size of a volume, which would be many turns: the copy takes any. */
const TARGET_BYTES = 48 * MIB;

const content = sparseContent(40 * MIB, 1);

async function areaOf(place: Place): Promise<WorkArea> {
  const area = await WorkArea.takeOver(place);
  if (area === "whole") {
    throw new Error("the attempt has ended");
  }
  return area;
}

async function setUp() {
  const directory = await temporaryDirectory();
  const driver = new FileDriver("node@file", { directory });
  const path = (number: number) => join(directory, `volume-${uuid(number)}`);
  await writeFile(path(1), content);
  const turn = (work: Work): Promise<WorkStatus> => {
    const source = { path: path(1), what: "the source", recordedBytes: content.length };
    return copyFileInTurns(source, volumePlace(directory, uuid(2), null), TARGET_BYTES, work);
  };
  const finish = async (checkpoint: Work["checkpoint"]): Promise<void> => {
    let outcome = await turn(unhurried(checkpoint));
    while (!outcome.done) {
      outcome = await turn(unhurried(outcome.checkpoint));
    }
  };
  const holds = async (): Promise<boolean> => {
    const copy = await readFile(path(2));
    const { blocks } = await stat(path(2));
    const isWhole = copy.length === TARGET_BYTES && copy.subarray(0, content.length).equals(content);
    return isWhole && blocks * 512 < content.length;
  };
  return { directory, driver, path, turn, finish, holds };
}

describe("turns", () => {
  test("a turn whose time is short answers with where it stopped", async () => {
    const { turn } = await setUp();
    const first = await turn(hurried());
    expect(first).toMatchObject({
      done: false,
      wait_seconds: 0,
      checkpoint: { offset: SEGMENT_BYTES },
    });
    const second = await turn(hurried(first.checkpoint));
    expect(second).toMatchObject({
      done: false,
      checkpoint: { offset: 2 * SEGMENT_BYTES, copy: first.checkpoint?.["copy"] },
    });
  });

  test("turns to the end make the whole volume, and leave nothing else", async () => {
    const { turn, holds, directory } = await setUp();
    let outcome = await turn(hurried());
    let turns = 1;
    while (!outcome.done) {
      outcome = await turn(hurried(outcome.checkpoint));
      turns += 1;
    }
    expect(turns).toBe(3);
    expect(await holds()).toBe(true);
    expect(await finishedIn(directory)).toEqual([`volume-${uuid(1)}`, `volume-${uuid(2)}`]);
  });

  test("unfinished work is found, but is not a volume yet, and is deleted", async () => {
    const { turn, driver, path, directory } = await setUp();
    await turn(hurried());
    await expect(stat(path(2))).rejects.toMatchObject({ code: "ENOENT" });
    expect(await driver.findVolume(uuid(2), null)).toBe("present");
    await driver.deleteVolume(uuid(2), null);
    expect(await driver.findVolume(uuid(2), null)).toBe("absent");
    expect(await finishedIn(directory)).toEqual([`volume-${uuid(1)}`]);
  });

  test("a repeated turn with an older checkpoint does no harm", async () => {
    const { turn, finish, holds } = await setUp();
    const first = await turn(hurried());
    await turn(hurried(first.checkpoint));
    await finish(first.checkpoint);
    expect(await holds()).toBe(true);
  });

  test("a call after the end finds the volume, whatever the checkpoint", async () => {
    const { turn, finish, holds } = await setUp();
    const { checkpoint } = await turn(hurried());
    await finish(checkpoint);
    expect(await turn(hurried(checkpoint))).toMatchObject({ done: true });
    expect(await turn(hurried())).toMatchObject({ done: true });
    expect(await holds()).toBe(true);
  });

  test.each([
    ["of a copy that was begun again since", { copy: uuid(77), offset: 32 * MIB }],
    ["beyond the source", { offset: 4096 * MIB }],
    ["before the start", { offset: -1 }],
    ["of a name that leads elsewhere", { copy: `../volume-${uuid(1)}`, offset: SEGMENT_BYTES }],
    ["of another driver", { copy: 5, offset: "x" }],
  ])("a checkpoint %s is not trusted", async (_what, damage) => {
    const { turn, finish, holds, path } = await setUp();
    const { checkpoint } = await turn(hurried());
    await finish({ ...checkpoint, ...damage });
    expect(await holds()).toBe(true);
    expect((await stat(path(1))).size).toBe(40 * MIB);
  });

  test("a checkpoint of a copy that was deleted begins from zero", async () => {
    const { turn, finish, holds, driver } = await setUp();
    const { checkpoint } = await turn(hurried());
    await driver.deleteVolume(uuid(2), null);
    await finish(checkpoint);
    expect(await holds()).toBe(true);
  });

  test("any order of lost answers, repeated turns and deletions ends with the source's bytes", async () => {
    const steps = fc.array(fc.constantFrom("turn", "lost", "again", "delete"), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        const { turn, finish, holds, driver, directory } = await setUp();
        let checkpoint: Work["checkpoint"] = null;
        let older: Work["checkpoint"] = null;
        for (const step of plan) {
          if (step === "delete") {
            // A complete result ends its attempt: only unfinished work begins again.
            const isWhole = await holds().catch(() => false);
            await (isWhole ? undefined : driver.deleteVolume(uuid(2), null));
            continue;
          }
          const outcome: WorkStatus = await turn(hurried(step === "again" ? older : checkpoint));
          if (step !== "lost") {
            older = checkpoint;
            checkpoint = outcome.checkpoint;
          }
        }
        await finish(checkpoint);
        expect(await holds()).toBe(true);
        expect(await finishedIn(directory)).toHaveLength(2);
      }),
      { numRuns: 6 },
    );
  });
});

describe("two calls at once", () => {
  test("both answer, and one of them or the next finishes the volume", async () => {
    const { turn, finish, holds, directory } = await setUp();
    const outcomes = await Promise.all([turn(unhurried()), turn(unhurried()), turn(unhurried())]);
    expect(outcomes.some(({ done }) => done)).toBe(true);
    await finish(outcomes.find(({ done }) => !done)?.checkpoint ?? null);
    expect(await holds()).toBe(true);
    expect(await finishedIn(directory)).toHaveLength(2);
  });

  test("the older one stops, and asks to be called again", async () => {
    const { directory, turn, path } = await setUp();
    let overtaken = false;
    const older = await turn({
      checkpoint: null,
      remainingTimeMs: () => {
        if (!overtaken) {
          overtaken = true;
          writeFileSync(join(directory, "attempts", `volume-${uuid(2)}-a1`, "holder"), "a later call");
        }
        return 900_000;
      },
    });
    expect(older).toMatchObject({ done: false, wait_seconds: 5, checkpoint: { offset: SEGMENT_BYTES } });
    await expect(stat(path(2))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("the older one, if it begins from zero late, removes nothing of the newer one", async () => {
    const place = volumePlace(await temporaryDirectory(), uuid(2), null);
    const [older, newer] = [await areaOf(place), await areaOf(place)];
    await writeFile(newer.path("newer.data"), "bytes");
    await older.clear();
    expect(await newer.has("newer.data")).toBe(true);
    await newer.clear();
    expect(await newer.has("newer.data")).toBe(false);
    expect(await newer.isMine()).toBe(true);
  });

  test("the older one, if the newer one takes over while it lists the files, removes nothing of it either", async () => {
    const place = volumePlace(await temporaryDirectory(), uuid(2), null);
    const older = await areaOf(place);
    await writeFile(older.path("older.data"), "bytes");
    vi.spyOn(older, "isMine").mockImplementationOnce(async () => {
      // The names are read, and the holder is looked at before the newer call changes it.
      const newer = await areaOf(place);
      await writeFile(newer.path("newer.data"), "bytes");
      return true;
    });
    await older.clear();
    expect([await older.has("older.data"), await older.has("newer.data")]).toEqual([false, true]);
  });
});

test("a turn continues while more time is left than the backend reserves", async () => {
  const directory = await temporaryDirectory();
  const turnsWith = async (number: number, reserve: object): Promise<number> => {
    const driver = new FileDriver("node@files", { directory, ...reserve });
    let checkpoint: WorkCheckpoint | null = null;
    for (let turns = 1; ; turns += 1) {
      const work = { checkpoint, remainingTimeMs: () => 10_000 };
      const outcome: WorkStatus = await driver.createClonedVolume(
        aVolume({ id: uuid(number) }),
        aVolume({ id: uuid(1) }),
        work,
      );
      if (outcome.done) {
        return turns;
      }
      ({ checkpoint } = outcome);
    }
  };
  await using source = await open(join(directory, volumeName(uuid(1))), "w");
  await source.truncate(GIB);
  expect(await turnsWith(2, {})).toBeGreaterThan(1);
  expect(await turnsWith(3, { turn_reserve_seconds: 2 })).toBe(1);
});
