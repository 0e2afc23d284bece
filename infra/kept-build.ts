import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";

/** A build that may be kept. */
export type KeptBuild = {
  /** Where it is kept; may be removed at any time. */
  keptIn: string;
  /** Makes files in an empty directory. @returns every file that decided what it made */
  build: (directory: string) => Promise<readonly string[]>;
};

/** A build that was kept: what it made, and what it was made from as it was then. */
const MADE = "made";
const MADE_FROM = "made-from.json";

/** The clocks of file systems are behind by some milliseconds. */
const CLOCK_SLACK_MS = 1000;

/**
 * Fills a directory with what the build makes: by a copy of what it made last, where no file that it was made from has changed
 * since, and by building otherwise. Several processes may do so at once; what cannot be kept, or read again, is built.
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
 * What tells one content of a file from the next. Not the time of modification: packages come with the same one in every version,
 * while no program can set the time of change.
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
    // Nothing is kept, or another process is just replacing it.
    return false;
  }
}

function isCurrent(kept: string): boolean {
  try {
    const madeFrom = JSON.parse(readFileSync(path.join(kept, MADE_FROM), "utf8")) as Record<string, string>;
    return Object.entries(madeFrom).every(([file, state]) => stateOf(file).state === state);
  } catch {
    // Half written, half removed, or a file that it was made from is gone.
    return false;
  }
}

function keep(directory: string, keptIn: string, files: readonly string[], started: number): void {
  try {
    const states = files.map((file) => [file, stateOf(file)] as const);
    // Of a file that was changed meanwhile nobody knows which content was read.
    if (states.some(([, { changedMs }]) => changedMs > started - CLOCK_SLACK_MS)) {
      return;
    }
    mkdirSync(keptIn, { recursive: true });
    const others = readdirSync(keptIn);
    const kept = path.join(keptIn, randomUUID());
    copyTree(directory, path.join(kept, MADE));
    const madeFrom = Object.fromEntries(states.map(([file, { state }]) => [file, state]));
    // Last, because it makes the rest valid.
    writeFileSync(path.join(kept, MADE_FROM), JSON.stringify(madeFrom));
    for (const other of others) {
      // Renamed first, so that who is copying it fails, and does not find half of it.
      const removed = path.join(keptIn, `removed-${randomUUID()}`);
      renameSync(path.join(keptIn, other), removed);
      rmSync(removed, { recursive: true, force: true });
    }
  } catch {
    // A directory that cannot be written, or another process that cleans up as well: the next one builds anew.
  }
}

/** Copies with the permissions that this process gives its files: the one that kept them may give others. */
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
