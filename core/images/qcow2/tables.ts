import { ImageUnacceptable } from "../../errors.ts";
import type { Qcow2Header, Qcow2Rules } from "./header.ts";
import { decodeL1Entry } from "./l2-table.ts";

/** Reads of the image's file, wherever it is. */
export type FileBytes = {
  /** Exactly those bytes, all of them inside the file. */
  readAt(offset: number, length: number): Promise<Uint8Array>;
};

/** A resumable checksum; not a cryptographic one. */
export type Checksum = (bytes: Uint8Array, previous?: number) => number;

/** Bytes asked for at once. A table of the largest clusters is longer. */
const READ_BYTES = 2 ** 20;

/** Tables closer to each other than this are read in one. */
const GAP_BYTES = 2 ** 16;

/** Reads in flight: most of the time of a read is its way. */
const READS_AT_ONCE = 4;

/** Clusters of a file up to which a table's place and its place in the L1 table fit one number; 128 TiB of usual clusters. */
const MAX_HOST_CLUSTERS = 2 ** 31;
const PLACE = 2 ** 22;

/**
 * Where the L2 tables are, in the order of the file: 8 bytes for each table, which is 16 KiB for a disk of 1 TiB in usual clusters.
 */
export class Qcow2Tables {
  readonly #header: Qcow2Header;
  readonly #bytes: FileBytes;
  /** Host cluster x {@link PLACE} + index in the L1 table. */
  readonly #places: Float64Array;
  /** Checksum of the part of the L1 table that is used. */
  readonly l1Checksum: number;

  private constructor(header: Qcow2Header, bytes: FileBytes, places: Float64Array, l1Checksum: number) {
    this.#header = header;
    this.#bytes = bytes;
    this.#places = places;
    this.l1Checksum = l1Checksum;
  }

  /**
   * Reads the L1 table. Entries beyond the disk's size are not looked at.
   *
   * @throws ImageUnacceptable when an entry is damaged, leads out of the file, or leads where another one leads
   */
  static async read(
    header: Qcow2Header,
    bytes: FileBytes,
    rules: Qcow2Rules,
    checksum: Checksum,
  ): Promise<Qcow2Tables> {
    const { l1Offset, l1Entries, clusterBytes } = header;
    const refuse = (reason: string): never => {
      throw new ImageUnacceptable(rules.imageId, reason);
    };
    if (rules.fileBytes / clusterBytes > MAX_HOST_CLUSTERS) {
      refuse(`its ${rules.fileBytes} bytes are too many for clusters of ${clusterBytes}`);
    }
    const l1End = l1Offset + l1Entries * 8;
    let places = new Float64Array(Math.min(l1Entries, READ_BYTES / 8));
    let count = 0;
    let l1Checksum = 0;
    for (let first = 0; first < l1Entries; first += READ_BYTES / 8) {
      const length = Math.min(l1Entries - first, READ_BYTES / 8);
      const part = await bytes.readAt(l1Offset + first * 8, length * 8);
      l1Checksum = checksum(part, l1Checksum);
      const view = new DataView(part.buffer, part.byteOffset, part.byteLength);
      for (let index = 0; index < length; index += 1) {
        const offset = decodeL1Entry(view.getUint32(index * 8), view.getUint32(index * 8 + 4));
        if (offset === undefined) {
          return refuse(`L1 entry ${first + index} has reserved bits set`);
        }
        if (offset === 0) {
          continue;
        }
        if (offset % clusterBytes !== 0) {
          refuse(`the L2 table at ${offset} is not aligned to a cluster`);
        }
        if (offset + clusterBytes > rules.fileBytes) {
          refuse(`the L2 table at ${offset} is not inside the file of ${rules.fileBytes} bytes`);
        }
        if (offset + clusterBytes > l1Offset && offset < l1End) {
          refuse(`the L2 table at ${offset} is in the L1 table`);
        }
        if (count === places.length) {
          places = grown(places);
        }
        places[count] = (offset / clusterBytes) * PLACE + first + index;
        count += 1;
      }
    }
    const sorted = places.subarray(0, count).sort();
    for (let index = 1; index < count; index += 1) {
      if (hostClusterOf(sorted[index]) === hostClusterOf(sorted[index - 1])) {
        refuse(`two L1 entries lead to the L2 table at ${hostClusterOf(sorted[index]) * clusterBytes}`);
      }
    }
    return new Qcow2Tables(header, bytes, sorted, l1Checksum);
  }

  get length(): number {
    return this.#places.length;
  }

  /** Byte of the file where the table of that index begins; beyond the last one, infinity. */
  offset(index: number): number {
    const place = this.#places[index];
    return place === undefined ? Number.POSITIVE_INFINITY : hostClusterOf(place) * this.#header.clusterBytes;
  }

  /** Index of the first table that begins at `offset` or behind it. */
  indexFrom(offset: number): number {
    let low = 0;
    for (let high = this.#places.length; low < high;) {
      const middle = (low + high) >>> 1;
      if (this.offset(middle) < offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** Whether the host cluster at that offset is the header's, one of the L1 table, or an L2 table. */
  isMetadata(clusterOffset: number): boolean {
    const { l1Offset, l1Entries, clusterBytes } = this.#header;
    return (
      clusterOffset === 0 ||
      (clusterOffset + clusterBytes > l1Offset && clusterOffset < l1Offset + l1Entries * 8) ||
      this.offset(this.indexFrom(clusterOffset)) === clusterOffset
    );
  }

  /** Bytes that {@link scan} reads, those between tables included. */
  get bytesOfOneReading(): number {
    let bytes = 0;
    for (const { start, end } of this.#groups()) {
      bytes += end - start;
    }
    return bytes;
  }

  /** Reads all tables, in the order of the file: `visit` gets the index here and the first cluster of the disk that it is of. */
  async scan(visit: (table: Uint8Array, index: number, firstCluster: number) => void): Promise<void> {
    const groups = this.#groups();
    const reading: { first: number; start: number; part: Promise<Uint8Array> }[] = [];
    const { clusterBytes, l2Entries } = this.#header;
    try {
      for (;;) {
        while (reading.length < READS_AT_ONCE) {
          const { done, value } = groups.next();
          if (done === true) {
            break;
          }
          const part = this.#bytes.readAt(value.start, value.end - value.start);
          // It may fail while an earlier one is waited for; its failure is met in its turn.
          part.catch(() => undefined);
          reading.push({ ...value, part });
        }
        const next = reading.shift();
        if (next === undefined) {
          return;
        }
        const part = await next.part;
        for (let index = next.first; this.offset(index) < next.start + part.length; index += 1) {
          const at = this.offset(index) - next.start;
          const l1Index = (this.#places[index] ?? 0) % PLACE;
          visit(part.subarray(at, at + clusterBytes), index, l1Index * l2Entries);
        }
      }
    } finally {
      await Promise.allSettled(reading.map(({ part }) => part));
    }
  }

  /** Runs of tables that are read in one. */
  *#groups(): Generator<{ first: number; start: number; end: number }> {
    const { clusterBytes } = this.#header;
    for (let index = 0; index < this.length;) {
      const first = index;
      const start = this.offset(first);
      let end = start + clusterBytes;
      for (index += 1; index < this.length; index += 1) {
        const offset = this.offset(index);
        if (offset - end > GAP_BYTES || offset + clusterBytes - start > READ_BYTES) {
          break;
        }
        end = offset + clusterBytes;
      }
      yield { first, start, end };
    }
  }
}

function hostClusterOf(place: number | undefined): number {
  return Math.floor((place ?? 0) / PLACE);
}

function grown(places: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(places.length * 2);
  larger.set(places);
  return larger;
}
