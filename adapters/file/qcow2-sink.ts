import { crc32 } from "node:zlib";
import { ImageCopyFailure, ImageUnacceptable, describeError } from "../../core/errors.ts";
import type { Qcow2Layout } from "../../core/images/qcow2/layout.ts";
import { Qcow2Pass } from "../../core/images/qcow2/pass.ts";
import { decompressCluster } from "./decompress.ts";
import type { ImageSink } from "./image-pump.ts";
import { CHUNK_BYTES } from "./sparse.ts";
import type { WriteLanes } from "./write-lanes.ts";

/** The checksum that tables are compared by when they pass. */
export const tableChecksum = (bytes: Uint8Array, previous = 0): number => crc32(bytes, previous);

/** Bytes decompressed between two checks of clock and holder. */
const LOOK_BYTES = 2 ** 26;

/** A compressed cluster has at most twice its size in the file, by the width of the count of its sectors. */
const COMPRESSED_SPAN = 2;

/**
 * Places the clusters of a qcow2 image as its file passes. Its tables were read before by other requests: as they pass, in the very
 * bytes that are hashed, they must be the same.
 */
export class Qcow2Sink implements ImageSink {
  readonly #imageId: string;
  readonly #layout: Qcow2Layout;
  readonly #pass: Qcow2Pass;
  readonly #watch: TableWatch;
  readonly #history: History | undefined;
  /** Byte of the file that the stream must begin with. */
  readonly from: number;

  private constructor(imageId: string, layout: Qcow2Layout, pass: Qcow2Pass, watch: TableWatch, from: number) {
    this.#imageId = imageId;
    this.#layout = layout;
    this.#pass = pass;
    this.#watch = watch;
    this.from = from;
    if (layout.survey.compressed_clusters > 0) {
      this.#history = new History(layout.header.clusterBytes * COMPRESSED_SPAN, from);
    }
  }

  /** For the file from `offset` on. @param head the bytes that the layout's header was read from */
  static async from(imageId: string, layout: Qcow2Layout, head: Uint8Array, offset: number): Promise<Qcow2Sink> {
    const pass = await Qcow2Pass.from(layout, offset);
    const watch = new TableWatch(imageId, layout, head, offset);
    return new Qcow2Sink(imageId, layout, pass, watch, Math.min(watch.from, pass.needsFrom(offset)));
  }

  stepEnd(from: number, to: number): Promise<number> {
    return this.#pass.stepEnd(from, to);
  }

  /** @throws ImageUnacceptable when a cluster cannot be decompressed; ImageCopyFailure when a table has changed. */
  async place(
    buffer: Buffer,
    start: number,
    end: number,
    position: number,
    writes: WriteLanes,
    look: () => Promise<void>,
  ): Promise<number> {
    const bytes = buffer.subarray(start, end);
    this.#watch.pass(bytes, position);
    this.#history?.add(bytes);
    let placed = 0;
    const compressed: { host: number; length: number; disk: number; diskBytes: number }[] = [];
    this.#pass.visit(position, position + bytes.length, {
      plain: (host, length, disk) => {
        const at = start + host - position;
        writes.write(buffer, at, at + length, disk);
        placed += length;
      },
      compressed: (host, length, disk, diskBytes) => {
        // A cluster that begins before the stream is already done: the stream begins with the first unfinished one.
        if (host >= this.from) {
          compressed.push({ host, length, disk, diskBytes });
        }
      },
    });
    let unlooked = 0;
    for (const { host, length, disk, diskBytes } of compressed) {
      unlooked += diskBytes;
      if (unlooked > LOOK_BYTES) {
        await look();
        unlooked = 0;
      }
      await writes.writeOther(this.#decompress(host, length).subarray(0, diskBytes), disk);
      placed += diskBytes;
    }
    return placed;
  }

  #decompress(host: number, length: number): Buffer {
    const { clusterBytes, compression } = this.#layout.header;
    const input = this.#history?.read(host, length) ?? Buffer.alloc(0);
    return decompressOrRefuse(this.#imageId, compression, input, clusterBytes, host);
  }
}

/** As {@link decompressCluster}. @throws ImageUnacceptable that says which cluster is damaged */
export function decompressOrRefuse(
  imageId: string,
  compression: "zlib" | "zstd",
  input: Uint8Array,
  clusterBytes: number,
  hostOffset: number,
): Buffer {
  try {
    return decompressCluster(compression, input, clusterBytes);
  } catch (error) {
    const { message } = describeError(error);
    throw new ImageUnacceptable(imageId, `its compressed cluster at ${hostOffset} is damaged: ${message}`);
  }
}

/** The bytes that passed last: a compressed cluster may begin in an earlier chunk than it ends in. */
class History {
  readonly #span: number;
  readonly #buffer: Buffer;
  /** Byte of the file of the buffer's first one, and how many are in it. */
  #start: number;
  #length = 0;

  constructor(span: number, start: number) {
    this.#span = span;
    this.#start = start;
    this.#buffer = Buffer.allocUnsafeSlow(span + 2 * CHUNK_BYTES);
  }

  add(bytes: Buffer): void {
    if (this.#length + bytes.length > this.#buffer.length) {
      const kept = Math.min(this.#length, this.#span);
      this.#buffer.copyWithin(0, this.#length - kept, this.#length);
      this.#start += this.#length - kept;
      this.#length = kept;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  read(offset: number, length: number): Buffer {
    const at = offset - this.#start;
    if (at < 0 || at + length > this.#length) {
      throw new Error(`bytes ${offset} to ${offset + length} have not passed, or too long ago`);
    }
    return this.#buffer.subarray(at, at + length);
  }
}

/** Compares the header and the tables that pass with those that the layout was read from. */
class TableWatch {
  readonly #imageId: string;
  readonly #layout: Qcow2Layout;
  readonly #ranges: { start: number; end: number; expected: number; found: number }[];
  #next: number;
  #found = 0;
  /** Where the stream must begin so that no table is seen from its middle. */
  readonly from: number;

  constructor(imageId: string, layout: Qcow2Layout, head: Uint8Array, offset: number) {
    this.#imageId = imageId;
    this.#layout = layout;
    const { l1Offset, l1Entries, clusterBytes } = layout.header;
    this.#ranges = [
      { start: 0, end: head.length, expected: tableChecksum(head), found: 0 },
      { start: l1Offset, end: l1Offset + l1Entries * 8, expected: layout.tables.l1Checksum, found: 0 },
    ].filter(({ end }) => end > offset);
    this.#next = layout.tables.indexFrom(offset - clusterBytes + 1);
    this.from = Math.min(offset, layout.tables.offset(this.#next), ...this.#ranges.map(({ start }) => start));
  }

  pass(bytes: Uint8Array, position: number): void {
    for (const range of this.#ranges) {
      range.found = follow(range.found, range.start, range.end, bytes, position);
      this.#compare(range.end, range.found, range.expected, bytes, position);
    }
    const { clusterBytes } = this.#layout.header;
    for (;;) {
      const start = this.#layout.tables.offset(this.#next);
      if (start >= position + bytes.length) {
        return;
      }
      this.#found = follow(this.#found, start, start + clusterBytes, bytes, position);
      if (start + clusterBytes > position + bytes.length) {
        return;
      }
      const expected = this.#layout.tableChecksum(this.#next);
      this.#compare(start + clusterBytes, this.#found, expected, bytes, position);
      this.#next += 1;
      this.#found = 0;
    }
  }

  #compare(end: number, found: number, expected: number, bytes: Uint8Array, position: number): void {
    if (end > position && end <= position + bytes.length && found !== expected) {
      throw new ImageCopyFailure(`the tables of image ${this.#imageId} are not those that were read before`);
    }
  }
}

/** Continues a checksum of the range, as far as it is in the bytes. */
function follow(checksum: number, start: number, end: number, bytes: Uint8Array, position: number): number {
  const from = Math.max(start, position) - position;
  const to = Math.min(end, position + bytes.length) - position;
  return from < to ? tableChecksum(bytes.subarray(from, to), checksum) : checksum;
}
