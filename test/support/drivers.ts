import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { ImageCopyFailure, ImageNotFound } from "../../core/errors.ts";
import type {
  CopyWork,
  ImageMeta,
  ImageRange,
  ImageService,
  ImageSource,
  RangeOptions,
  Work,
} from "../../core/drivers/driver-ports.ts";
import { type CopyProgress, newVolume, type SnapshotRecord, type VolumeRecord } from "../../core/records.ts";

/** Builders and fakes for tests of drivers and image services. */

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;

/** A directory that is removed when the test ends. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "cinderless-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The finished files in a backend's directory; whatever is unfinished is below `attempts`. */
export async function finishedIn(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name !== "attempts").toSorted();
}

/** The attempts that work in a backend's directory, by the names of their directories. */
export async function workingIn(directory: string): Promise<string[]> {
  const entries = await readdir(join(directory, "attempts"), { withFileTypes: true });
  return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).toSorted();
}

/** A UUID that says in its last digits which one it is. */
export function uuid(number: number): string {
  return `5b2f4c1e-9d3a-4f60-8a71-${String(number).padStart(12, "0")}`;
}

/** A volume record as a driver meets it. */
export function aVolume(overrides: Partial<VolumeRecord> = {}): VolumeRecord {
  return newVolume({
    id: uuid(1),
    project_id: "project",
    user_id: "user",
    size: 1,
    availability_zone: "nova",
    host: "node@file#pool",
    created_at: "2026-01-01T00:00:00.000Z",
    ...overrides,
  });
}

export function aSnapshot(overrides: Partial<SnapshotRecord> = {}): SnapshotRecord {
  return {
    id: uuid(900),
    volume_id: uuid(1),
    project_id: "project",
    user_id: "user",
    status: "available",
    display_name: null,
    volume_size: 1,
    host: "node@file#pool",
    provider_location: null,
    glance_metadata: {},
    created_at: "2026-01-01T00:00:00.000Z",
    ...overrides,
  };
}

/** Work with all the time it wants. */
export function unhurried(checkpoint: Work["checkpoint"] = null): Work {
  return { checkpoint, remainingTimeMs: () => 900_000 };
}

/** Work whose time is up at once: it does the least that a turn does. */
export function hurried(checkpoint: Work["checkpoint"] = null): Work {
  return { checkpoint, remainingTimeMs: () => 1_000 };
}

/** Keeps an image copy's progress as the record does. */
export class KeptProgress {
  progress: CopyProgress | null = null;
  readonly saved: CopyProgress[] = [];

  /** Replaces parts of what is kept. */
  damage(parts: Partial<CopyProgress>): void {
    if (this.progress === null) {
      throw new Error("nothing is kept yet");
    }
    this.progress = { ...this.progress, ...parts };
  }

  /** Work that continues from saved progress. */
  work(remainingTimeMs: () => number = () => 900_000, beforeSave: () => void = () => {}): CopyWork {
    return {
      progress: this.progress,
      remainingTimeMs,
      save: async (progress) => {
        beforeSave();
        this.progress = { ...progress, updated_at: "2026-01-01T00:00:00.000Z" };
        this.saved.push(this.progress);
      },
    };
  }
}

/** Metadata of a raw image with that content. */
export function anImage(content: Uint8Array, overrides: Partial<ImageMeta> = {}): ImageMeta {
  return {
    id: uuid(500),
    name: "disk",
    status: "active",
    disk_format: "raw",
    container_format: "bare",
    size: content.length,
    min_disk: 0,
    min_ram: 0,
    checksum: createHash("md5").update(content).digest("hex"),
    os_hash_algo: "sha512",
    os_hash_value: createHash("sha512").update(content).digest("hex"),
    owner: "project",
    visibility: "private",
    properties: {},
    ...overrides,
  };
}

/** The file in which the first attempt of a volume collects bytes. */
export async function unfinishedData(directory: string, volumeId: string): Promise<string> {
  const work = join(directory, "attempts", `volume-${volumeId}-a1`);
  const [name = "", ...others] = (await readdir(work)).filter((found) => found.endsWith(".data"));
  if (name === "" || others.length > 0) {
    throw new Error(`${work} must have one file of data`);
  }
  return join(work, name);
}

/** An image service over bytes in memory, with a switch for each way it can go wrong. */
export class MemoryImages implements ImageService {
  content: Uint8Array;
  tag = "tag-1";
  pieceBytes = 64 * 1024;
  /** The stream breaks after this many bytes. */
  breakAfter = Number.POSITIVE_INFINITY;
  /** The stream ends, as if it were whole, after this many bytes. */
  endAfter = Number.POSITIVE_INFINITY;
  /** False for a service that sends whole images only. */
  ranged = true;
  /** Bytes that were read of all bodies. */
  sent = 0;
  readonly opened: { from: number; to: number | undefined; tag: string | undefined }[] = [];

  constructor(content: Uint8Array) {
    this.content = content;
  }

  async show(): Promise<ImageMeta> {
    return anImage(this.content);
  }

  async getLocation() {
    return { direct_url: null, locations: [] };
  }

  async openRange(imageId: string, from: number, { to, tag }: RangeOptions = {}): Promise<ImageRange> {
    this.opened.push({ from, to, tag });
    if (imageId !== uuid(500)) {
      throw new ImageNotFound(imageId);
    }
    if (tag !== undefined && tag !== this.tag) {
      throw new ImageCopyFailure("image changed");
    }
    const body = this.ranged ? this.#pieces(from, to ?? this.content.length) : this.#pieces(0, this.content.length);
    return { body, tag: this.tag, totalSize: this.content.length, ranged: this.ranged };
  }

  async *#pieces(from: number, to: number): AsyncGenerator<Uint8Array> {
    for (let at = from; at < Math.min(to, this.content.length); at += this.pieceBytes) {
      if (at - from >= this.breakAfter) {
        throw new Error("socket hang up");
      }
      if (at - from >= this.endAfter) {
        return;
      }
      const piece = this.content.subarray(at, Math.min(at + this.pieceBytes, to));
      this.sent += piece.length;
      yield piece;
    }
  }
}

/** An image as a driver is given it. */
export function imageSource(
  content: Uint8Array,
  overrides: Partial<ImageMeta> = {},
): ImageSource & { service: MemoryImages } {
  return {
    service: new MemoryImages(content),
    imageId: uuid(500),
    meta: anImage(content, overrides),
  };
}

/** Bytes that look random, with holes: about `dataShare` of its blocks of 64 KiB are data. The same for the same seed. */
export function sparseContent(bytes: number, seed: number, dataShare = 0.4): Buffer {
  const content = Buffer.alloc(bytes);
  const words = new Uint32Array(content.buffer, content.byteOffset, Math.floor(bytes / 4));
  const blockWords = 16 * 1024;
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let block = 0; block < words.length; block += blockWords) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    if (state / 2 ** 32 >= dataShare) {
      continue;
    }
    const end = Math.min(block + blockWords, words.length);
    for (let at = block; at < end; at += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      words[at] = state;
    }
  }
  return content;
}
