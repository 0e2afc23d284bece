import { closeSync, constants, fsyncSync, ftruncateSync, openSync } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { dirname } from "node:path";
import { InvalidInput, VolumeBackendAPIException } from "../../core/errors.ts";
import { BLOCK_BYTES, pageAlignedBuffer } from "./sparse.ts";

/** The driver's calls of the file system, with distinct errors. */

const GIB = 2 ** 30;

/** Not there on Windows, where opening a directory fails anyway. */
const NOFOLLOW = (constants.O_NOFOLLOW as number | undefined) ?? 0;

const CREATE_EXCLUSIVE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | NOFOLLOW;

/** Bytes of a size in GiB. @throws InvalidInput when it is not a positive integer, or larger than a file can be. */
export function bytesOfGib(sizeGib: number): number {
  const bytes = sizeGib * GIB;
  if (!Number.isInteger(sizeGib) || sizeGib <= 0 || !Number.isSafeInteger(bytes)) {
    throw new InvalidInput(`volume size ${sizeGib} is not a positive number of GiB`);
  }
  return bytes;
}

/** The `code` of a system error. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Whether the file system has no room left, for all users or for this one. */
export function isOutOfSpace(error: unknown): boolean {
  const code = errnoOf(error);
  return code === "ENOSPC" || code === "EDQUOT";
}

/**
 * Turns a system error into VolumeBackendAPIException, which names the action; every other error stays unchanged. Use it where the failure
 * leaves no finished volume.
 */
export function asBackendError(error: unknown, doing: string): unknown {
  const code = errnoOf(error);
  return code !== undefined && error instanceof Error && "syscall" in error
    ? new VolumeBackendAPIException(
        `${doing}: ${isOutOfSpace(error) ? `no space left on device (${code})` : error.message}`,
      )
    : error;
}

/** Makes a new file, mode 0600. @throws EEXIST whatever is there, a dangling link included. */
export function createExclusive(path: string): Promise<FileHandle> {
  return open(path, CREATE_EXCLUSIVE, 0o600);
}

/**
 * Opens a regular file to be read once from end to end, past the page cache where the file system allows it: Node cannot ask where
 * the holes of a file are, and reading them through the cache fills memory with zeros (2 to 20 times slower, as measured).
 *
 * @throws as {@link openRegular}
 */
export async function openToScan(path: string): Promise<FileHandle> {
  const direct = constants.O_DIRECT as number | undefined;
  if (direct !== undefined) {
    try {
      const handle = await openRegular(path, "read", direct);
      if (await readsDirectly(handle)) {
        return handle;
      }
      await handle.close();
    } catch (error) {
      if (errnoOf(error) !== "EINVAL") {
        throw error;
      }
    }
  }
  return openRegular(path, "read");
}

/** Whether the file and buffers of this process are aligned as the device wants them. */
async function readsDirectly(handle: FileHandle): Promise<boolean> {
  try {
    if ((await handle.stat()).size % BLOCK_BYTES !== 0) {
      return false;
    }
    await handle.read(pageAlignedBuffer(), 0, BLOCK_BYTES, 0);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EINVAL") {
      return false;
    }
    await handle.close();
    throw error;
  }
}

/**
 * Opens a regular file, and no link to one. The size and times are those of the opened file, so the file cannot be exchanged between the
 * check and the use.
 *
 * @throws ENOENT; VolumeBackendAPIException when the name does not belong to a regular file.
 */
export async function openRegular(path: string, access: "read" | "write", flags = 0): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    // O_NONBLOCK: a FIFO of that name must be refused, not waited for. It means nothing to a regular file.
    handle = await open(
      path,
      (access === "read" ? constants.O_RDONLY : constants.O_RDWR) | NOFOLLOW | (constants.O_NONBLOCK ?? 0) | flags,
    );
  } catch (error) {
    const code = errnoOf(error);
    throw code === "ELOOP" || code === "EISDIR" || code === "ENXIO" ? notRegular(path) : error;
  }
  const stats = await handle.stat();
  if (!stats.isFile()) {
    await handle.close();
    throw notRegular(path);
  }
  return handle;
}

/** Opens a regular file for as long as the work with it takes. @throws as {@link openRegular} */
export async function withRegular<Result>(
  path: string,
  access: "read" | "write",
  work: (file: FileHandle) => Promise<Result>,
): Promise<Result> {
  const file = await openRegular(path, access);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

/** Size of the regular file at the path, or undefined when nothing is there. Links are not followed. */
export async function sizeOfRegular(path: string): Promise<number | undefined> {
  try {
    const stats = await lstat(path);
    if (!stats.isFile()) {
      throw notRegular(path);
    }
    return stats.size;
  } catch (error) {
    if (isAbsent(error)) {
      return undefined;
    }
    throw error;
  }
}

/** Whether the error says that there is nothing of that name. */
export function isAbsent(error: unknown): boolean {
  const code = errnoOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Whether anything has that name; links are not followed. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) {
      return false;
    }
    throw error;
  }
}

/**
 * Makes the names in the file's directory durable: after a power cut the file is found under the name it has now.
 *
 * Synchronous, like {@link createSized}: these calls take microseconds, and a millisecond to be durable, while each way through the
 * thread pool waits for the next turn of an event loop that other work keeps busy.
 */
export function syncDirectoryOf(path: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(dirname(path), constants.O_RDONLY);
  } catch (error) {
    // Windows opens no directories, and needs none opened.
    if (errnoOf(error) === "EISDIR" || errnoOf(error) === "EPERM") {
      return;
    }
    throw error;
  }
  try {
    fsyncSync(descriptor);
  } catch (error) {
    if (errnoOf(error) !== "EINVAL" && errnoOf(error) !== "EPERM") {
      throw error;
    }
  } finally {
    closeSync(descriptor);
  }
}

/** Makes a new sparse file of a size, durably but for its name. False when anything has the name. See {@link syncDirectoryOf}. */
export function createSized(path: string, sizeBytes: number): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(path, CREATE_EXCLUSIVE, 0o600);
  } catch (error) {
    if (errnoOf(error) === "EEXIST") {
      return false;
    }
    throw error;
  }
  try {
    ftruncateSync(descriptor, sizeBytes);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return true;
}

function notRegular(path: string): VolumeBackendAPIException {
  return new VolumeBackendAPIException(`${path} is not a regular file`);
}
