import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildUnlessKept } from "../../infra/kept-build.ts";

/** A build is not kept when what it is made from has changed within a second before it. */
const SETTLED_MILLISECONDS = 1100;

const root = mkdtempSync(path.join(tmpdir(), "cinderless-kept-build-"));
const sources = Array.from({ length: 9 }, (_, index) => path.join(root, `source-${index}`));

beforeAll(async () => {
  for (const source of sources) {
    writeFileSync(source, "one");
  }
  await delay(SETTLED_MILLISECONDS);
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A build that writes what its source says, of a source that no other test has. */
function aBuild() {
  const source = sources.pop();
  if (source === undefined) {
    throw new Error("there are more tests than sources");
  }
  const keptIn = `${source}-kept`;
  let builds = 0;
  let runs = 0;
  return {
    source,
    keptIn,
    builds: () => builds,
    /** The content of the directory. */
    run: async (whileBuilding: () => void = () => {}): Promise<string> => {
      const directory = `${source}-${(runs += 1)}`;
      const build = async (into: string): Promise<string[]> => {
        builds += 1;
        mkdirSync(path.join(into, "deep"));
        writeFileSync(path.join(into, "deep", "made"), `made of ${readFileSync(source, "utf8")}`);
        whileBuilding();
        return [source];
      };
      await buildUnlessKept(directory, { keptIn, build });
      expect(readdirSync(directory)).toEqual(["deep"]);
      return readFileSync(path.join(directory, "deep", "made"), "utf8");
    },
  };
}

describe("a build", () => {
  it("is kept for the next one", async () => {
    const { run, builds } = aBuild();
    expect([await run(), await run(), await run()]).toEqual(["made of one", "made of one", "made of one"]);
    expect(builds()).toBe(1);
  });

  it("is made again when a file has changed, also to one of the same size and time", async () => {
    const { source, run, builds } = aBuild();
    await run();
    const { atime, mtime } = statSync(source);
    writeFileSync(source, "two");
    utimesSync(source, atime, mtime);
    expect(await run()).toBe("made of two");
    expect(builds()).toBe(2);
  });

  it("is made again when another file is in the place of its own", async () => {
    const { source, run } = aBuild();
    await run();
    rmSync(source);
    writeFileSync(source, "new");
    expect(await run()).toBe("made of new");
  });

  it("is not cached when a file was changed in between", async () => {
    const { source, run } = aBuild();
    expect(await run(() => writeFileSync(source, "two"))).toBe("made of one");
    expect(await run()).toBe("made of two");
  });

  it("is kept in place of the one before", async () => {
    const { source, keptIn, run, builds } = aBuild();
    await run();
    writeFileSync(source, "two");
    await delay(SETTLED_MILLISECONDS);
    await run();
    expect(readdirSync(keptIn)).toHaveLength(1);
    expect(await run()).toBe("made of two");
    expect(builds()).toBe(2);
  });
});

describe("what is kept", () => {
  it("is not used when it is damaged", async () => {
    const { keptIn, run } = aBuild();
    await run();
    const [kept = ""] = readdirSync(keptIn);
    rmSync(path.join(keptIn, kept, "made"), { recursive: true });
    expect(await run()).toBe("made of one");
    writeFileSync(path.join(keptIn, readdirSync(keptIn)[0] ?? "", "made-from.json"), '{"');
    expect(await run()).toBe("made of one");
  });

  it("is copied with the permissions that this process gives its files, whatever the one that kept it gave", async () => {
    const { source, keptIn, run, builds } = aBuild();
    await run();
    chmodSync(path.join(keptIn, readdirSync(keptIn)[0] ?? "", "made", "deep", "made"), 0o777);
    await run();
    expect(builds()).toBe(1);
    expect(statSync(path.join(`${source}-2`, "deep", "made")).mode & 0o777).toBe(0o666 & ~process.umask());
  });

  it("does not fail without a cache directory: a path that is a file caches nothing", async () => {
    const { keptIn, run, builds } = aBuild();
    writeFileSync(keptIn, "");
    expect([await run(), await run()]).toEqual(["made of one", "made of one"]);
    expect(builds()).toBe(2);
  });

  it("serves builds that are made at once", async () => {
    const { run, builds, keptIn } = aBuild();
    expect(new Set(await Promise.all(Array.from({ length: 10 }, () => run())))).toEqual(new Set(["made of one"]));
    expect(builds()).toBeLessThanOrEqual(10);
    expect(readdirSync(keptIn)).not.toEqual([]);
    const before = builds();
    await run();
    expect(builds()).toBe(before);
  });
});
