import { randomUUID } from "node:crypto";
import { link, lstat, mkdir, open, opendir, readdir, rename, rm, rmdir, truncate, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AttemptClosed, VolumeBackendAPIException } from "../../core/errors.ts";
import { errnoOf, isAbsent, syncDirectoryOf } from "./files.ts";
import { attemptsPath, isTrash, parseEntry, type Place, trashPath } from "./paths.ts";

/**
 * One attempt on the file system. At the name `attempts/volume-<fence>` there is
 *
 *     nothing        before the attempt begins
 *     a directory    while it works
 *     a file         when it is over: empty when it was closed, not empty when it has published its whole result
 *
 * `mkdir` succeeds on nothing, and on neither of the others. So an ended attempt never works again, and the file system decides every race
 * between a late call and the call that ends the attempt.
 *
 * The call that ends an attempt renames its directory away, leaves the file, and then removes the directory with its content. A late local
 * process no longer finds its path. An NFS client may still hold handles of the renamed directory: they are stale once the directory is
 * removed, and the names in it are gone before. docs/adr/0021 lists each operation and its behavior on NFS.
 */

/** More than the number of concurrent calls; each round ends the work of one of them. */
const ROUNDS = 20;

/** Names of files in an attempt's directory that hold nothing, and that a call makes again where they are gone (`empty-volume.ts`). */
export const BLANK = "blank-";

/** Content of the file of an attempt that has published its result. */
const WHOLE = "whole\n";

/** Whether an attempt may work: `whole` when it has published its result before. */
export type Entered = "working" | "whole";

/**
 * Begins an attempt, or joins the calls of it that work already.
 *
 * @throws AttemptClosed
 */
export async function enterAttempt(place: Place): Promise<Entered> {
  for (let round = 1; round <= ROUNDS; round += 1) {
    if (await makeDirectory(place.work)) {
      return "working";
    }
    if (await isWhole(place)) {
      return "whole";
    }
    if ((await stateOf(place)) === "working") {
      return "working";
    }
  }
  throw tooManyRounds(place);
}

/**
 * Whether an attempt has published its whole result. Begins nothing.
 *
 * @throws AttemptClosed
 */
export async function isWhole(place: Place): Promise<boolean> {
  const state = await stateOf(place);
  if (state === "closed" || (state === "whole" && !(await isThere(place.path)))) {
    throw new AttemptClosed(place.fence);
  }
  return state === "whole";
}

/** AttemptClosed when the attempt was closed, which explains whatever failed in it; otherwise the error itself. */
export async function closedOr(place: Place, error: unknown): Promise<unknown> {
  try {
    await isWhole(place);
    return error;
  } catch (closed) {
    return closed instanceof AttemptClosed ? closed : error;
  }
}

/** Removes the directory of an attempt unless a call works in it. */
export async function leaveAttempt({ work }: Pick<Place, "work">): Promise<void> {
  await rmdir(work).catch(ignoring("ENOENT", "ENOTDIR", "ENOTEMPTY", "EEXIST"));
}

/**
 * Gives the finished file `from`, in the attempt's directory, the volume's name by one rename, and ends the attempt: no other call
 * of it can follow. The file and its bytes must be durable.
 *
 * Interrupted between the two: the next call makes the result again.
 *
 * @throws AttemptClosed when the attempt was closed; system errors
 */
export async function publish(place: Place, from: string): Promise<void> {
  const { ino } = await lstat(from, { bigint: true });
  const seal = join(place.work, `seal-${randomUUID()}`);
  const file = await open(seal, "wx", 0o600);
  try {
    await file.writeFile(WHOLE);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await rename(from, place.path);
  } catch (error) {
    // An NFS client that repeats a rename after a lost answer gets ENOENT.
    if (!isAbsent(error) || (await inodeOf(place.path)) !== ino) {
      throw error;
    }
  }
  syncDirectoryOf(place.path);
  await end(place, seal);
}

/**
 * Closes an attempt, whether it has begun, works, is over, or never existed.
 *
 * Repeated: changes nothing.
 * Interrupted: the next call does the rest.
 */
export async function closeAttempt(place: Place): Promise<void> {
  while ((await closeUnlessWhole(place)) === "whole") {
    await truncate(place.work, 0).catch(ignoring("ENOENT", "EISDIR"));
  }
}

/**
 * Closes the caller's own attempt, whose result is refused, and removes the volume's file. An attempt whose other call has published its
 * result stays unchanged.
 */
export async function refuseAttempt(place: Place): Promise<void> {
  if ((await closeUnlessWhole(place)) === "closed") {
    await unlink(place.path).catch(ignoring("ENOENT", "ENOTDIR"));
    syncDirectoryOf(place.path);
  }
}

async function closeUnlessWhole(place: Place): Promise<"closed" | "whole"> {
  for (let round = 1; round <= ROUNDS; round += 1) {
    if (await leaveMark(place.work)) {
      syncDirectoryOf(place.work);
      return "closed";
    }
    const state = await stateOf(place);
    if (state === "closed" || state === "whole") {
      return state;
    }
    if (state === "working") {
      await takeWorkAway(place);
    }
  }
  throw tooManyRounds(place);
}

/** Removes the unfinished work of an attempt, which may begin again. A call that works there is stopped. */
export async function takeWorkAway(place: Place): Promise<void> {
  const trash = trashPath(place, randomUUID());
  try {
    await moveDirectory(place.work, trash);
  } finally {
    await emptyTrash(trash);
  }
}

/**
 * Renames a directory, and never a file that has its name by then: the target is an empty directory, which only a directory replaces.
 * False when there was no directory, or, to a client of NFS that repeats its rename, when the first one has moved it.
 */
async function moveDirectory(from: string, to: string): Promise<boolean> {
  try {
    await mkdir(to, { mode: 0o700 });
    await rename(from, to);
    return true;
  } catch (error) {
    if (!["ENOENT", "ENOTDIR", "EISDIR", "EEXIST", "ENOTEMPTY"].includes(errnoOf(error) ?? "")) {
      throw error;
    }
    return false;
  }
}

/** Whether the attempt's unfinished work is there. */
export async function hasWork(place: Pick<Place, "work">): Promise<boolean> {
  return (await lstatIfThere(place.work))?.isDirectory() === true;
}

/**
 * Removes the files of attempts that ended before that moment, renamed work that a dead process left, and directories in which a call that
 * came late and died left nothing. It costs one stat for each attempt that works or ended recently, and a list of names for each whose directory is that old.
 */
export async function forgetAttempts(directory: string, before: Date): Promise<void> {
  const attempts = attemptsPath(directory);
  for await (const { name } of await opendir(attempts)) {
    const path = join(attempts, name);
    const stats = isTrash(name) || parseEntry(name) !== undefined ? await lstatIfThere(path) : undefined;
    if (stats === undefined || stats.mtime >= before) {
      continue;
    }
    if (isTrash(name)) {
      await emptyTrash(path);
    } else if (stats.isFile()) {
      await unlink(path).catch(ignoring("ENOENT"));
    } else if (stats.isDirectory() && (await holdsNothing(path))) {
      await removeBlanks(path);
      await leaveAttempt({ work: path });
    }
  }
}

/** Whether a directory of an attempt has no unfinished work: nothing, or only blank files. */
export async function holdsNothing(work: string): Promise<boolean> {
  return (await namesIn(work)).every((name) => name.startsWith(BLANK));
}

/** Removes the blank files of an attempt, also those of calls that died: a call that still works on one begins again. */
export async function removeBlanks(work: string): Promise<void> {
  for (const name of await namesIn(work)) {
    if (name.startsWith(BLANK)) {
      await unlink(join(work, name)).catch(ignoring("ENOENT", "ENOTDIR", "ESTALE"));
    }
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    return ignoring("ENOENT", "ENOTDIR", "ESTALE")(error) ?? [];
  }
}

/** Ends an attempt whose result is published: the directory is removed, and the seal takes its name unless the attempt was closed. */
async function end(place: Place, seal: string): Promise<void> {
  const trash = trashPath(place, randomUUID());
  try {
    await moveDirectory(place.work, trash);
    const moved = join(trash, basename(seal));
    for (let round = 1; round <= ROUNDS; round += 1) {
      if ((await isThere(moved)) && (await linked(moved, place.work))) {
        syncDirectoryOf(place.work);
        return;
      }
      const state = await stateOf(place);
      if (state === "closed") {
        throw new AttemptClosed(place.fence);
      }
      if (state === "whole") {
        return;
      }
      if (state === "nothing") {
        break;
      }
      await takeWorkAway(place);
    }
    throw new Error(`the work of attempt ${place.fence} was taken away`);
  } finally {
    await emptyTrash(trash);
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") {
      throw error;
    }
    return false;
  }
}

type State = "nothing" | "working" | "whole" | "closed";

async function stateOf({ work }: Place): Promise<State> {
  const stats = await lstatIfThere(work);
  if (stats === undefined) {
    return "nothing";
  }
  if (stats.isDirectory()) {
    return "working";
  }
  if (!stats.isFile()) {
    throw new VolumeBackendAPIException(`${work} is neither a directory nor a regular file`);
  }
  return stats.size === 0 ? "closed" : "whole";
}

/** True when this call created it. */
async function makeDirectory(path: string): Promise<boolean> {
  return made(path, () => mkdir(path, { mode: 0o700 }));
}

/** Leaves an empty file. True when this call created it. */
async function leaveMark(path: string): Promise<boolean> {
  return made(path, async () => (await open(path, "wx", 0o600)).close());
}

async function made(path: string, make: () => Promise<void>): Promise<boolean> {
  try {
    await make();
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      return false;
    }
    if (errnoOf(error) !== "EEXIST") {
      throw error;
    }
    return false;
  }
}

/**
 * Removes a directory that was renamed away. Handles of other NFS clients are stale only when it is gone. A file that this client still has
 * open stays there under the client's own name, which is never published.
 */
async function emptyTrash(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  } catch (error) {
    const left = await readdir(path).catch(() => []);
    if (left.length === 0 || !left.every((name) => name.startsWith(".nfs"))) {
      throw error;
    }
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await lstatIfThere(path)) !== undefined;
}

async function inodeOf(path: string): Promise<bigint | undefined> {
  try {
    return (await lstat(path, { bigint: true })).ino;
  } catch (error) {
    if (isAbsent(error)) {
      return undefined;
    }
    throw error;
  }
}

async function lstatIfThere(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if (isAbsent(error)) {
      return undefined;
    }
    throw error;
  }
}

function ignoring(...codes: string[]): (error: unknown) => void {
  return (error) => {
    if (!codes.includes(errnoOf(error) ?? "")) {
      throw error;
    }
  };
}

function tooManyRounds({ fence }: Place): Error {
  return new Error(`calls of attempt ${fence} kept beginning while it was being ended`);
}
