import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";

/** A build that may be cached. */
export type KeptBuild = {
  /** Its cache directory; may be removed at any time. */
  keptIn: string;
  /** Creates files in an empty directory. @returns every file that the output depends on */
  build: (directory: string) => Promise<readonly string[]>;
};

/** A cached build: its output, and the state of its inputs at that time. */
const MADE = "made";
const MADE_FROM = "made-from.json";

/** The clocks of file systems lag by some milliseconds. */
const CLOCK_SLACK_MS = 1000;

/**
 * Fills a directory with the build's output. Copies the cached output if no input has changed since, and builds otherwise. Several
 * processes may do so at once. When the cache cannot be written or read, the output is built.
 */
export async function buildUnlessKept(directory: string, { keptIn, build }: KeptBuild): Promise<void> {
  if (reuse(directory, keptIn)) {
    return;
  }
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const started = Date.now();
  const files = await build(directory);
  keep(directory, keptIn, files, started);
}

/**
 * Identifies the content of a file. Not by the time of modification, which is the same in every version of a package. No program can set
 * the time of change.
 */
function stateOf(file: string): { state: string; changedMs: number } {
  const { size, ino, ctimeNs } = statSync(file, { bigint: true });
  return { state: `${size} ${ino} ${ctimeNs}`, changedMs: Number(ctimeNs / 1_000_000n) };
}

function reuse(directory: string, keptIn: string): boolean {
  try {
    const kept = readdirSync(keptIn).find((name) => isCurrent(path.join(keptIn, name)));
    if (kept === undefined) {
      return false;
    }
    copyTree(path.join(keptIn, kept, MADE), directory);
    return true;
  } catch {
    // There is no cached build, or another process is just replacing it.
    return false;
  }
}

function isCurrent(kept: string): boolean {
  try {
    const madeFrom = JSON.parse(readFileSync(path.join(kept, MADE_FROM), "utf8")) as Record<string, string>;
    return Object.entries(madeFrom).every(([file, state]) => stateOf(file).state === state);
  } catch {
    // Partly written, partly removed, or an input is gone.
    return false;
  }
}

function keep(directory: string, keptIn: string, files: readonly string[], started: number): void {
  try {
    const states = files.map((file) => [file, stateOf(file)] as const);
    // If an input changed during the build, it is unknown which content was read.
    if (states.some(([, { changedMs }]) => changedMs > started - CLOCK_SLACK_MS)) {
      return;
    }
    mkdirSync(keptIn, { recursive: true });
    const others = readdirSync(keptIn);
    const kept = path.join(keptIn, randomUUID());
    copyTree(directory, path.join(kept, MADE));
    const madeFrom = Object.fromEntries(states.map(([file, { state }]) => [file, state]));
    // Last, because it makes the other files valid.
    writeFileSync(path.join(kept, MADE_FROM), JSON.stringify(madeFrom));
    for (const other of others) {
      // Renamed first, so that a concurrent copy fails instead of finding half of it.
      const removed = path.join(keptIn, `removed-${randomUUID()}`);
      renameSync(path.join(keptIn, other), removed);
      rmSync(removed, { recursive: true, force: true });
    }
  } catch {
    // A directory that cannot be written, or another process that cleans up as well: the next start builds again.
  }
}

/** Copies with this process's file permissions: the process that cached the files may use others. */
function copyTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) {
      copyTree(source, target);
    } else {
      writeFileSync(target, readFileSync(source));
    }
  }
}
