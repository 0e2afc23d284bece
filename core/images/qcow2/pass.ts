import { ALL_SUBCLUSTERS } from "./l2-table.ts";
import type { Qcow2Layout, Qcow2Window } from "./layout.ts";

/** Bytes of the disk that one step should make: between two steps a copy can be cut. */
const STEP_BYTES = 2 ** 26;

/**
 * Most bytes that one step writes when the same bytes of the file are on the disk many times, and a step of `STEP_BYTES` would be made of
 * writes of few bytes each.
 */
const LARGEST_STEP_BYTES = 2 ** 30;

/** Steps of the file are not made shorter than this for the sake of `STEP_BYTES`. */
const SHORT_STEP_BYTES = 2 ** 16;

/** Unit of compressed clusters, and so the smallest step. */
const SECTOR_BYTES = 512;

/** Receives the findings of a step. Offsets and lengths never leave the disk. */
export type Qcow2Visitor = {
  /** Bytes of the file that are on the disk unchanged. */
  plain(hostOffset: number, bytes: number, diskOffset: number): void;
  /** A compressed cluster whose last byte has passed: its bytes in the file, and how many of those it makes are the disk's. */
  compressed(hostOffset: number, bytes: number, diskOffset: number, diskBytes: number): void;
};

/**
 * One pass over a qcow2 file from a place to its end, in steps: says for each stretch of the file what of it belongs where. Steps
 * follow each other without a gap.
 */
export class Qcow2Pass {
  readonly #layout: Qcow2Layout;
  #window: Qcow2Window;
  /** Everything before it in the window is behind the pass. */
  #first = 0;

  private constructor(layout: Qcow2Layout, window: Qcow2Window) {
    this.#layout = layout;
    this.#window = window;
  }

  static async from(layout: Qcow2Layout, offset: number): Promise<Qcow2Pass> {
    return new Qcow2Pass(layout, await layout.window(offset));
  }

  /** Start of the compressed cluster that contains `offset`, or `offset` itself: a pass that continues there needs the whole cluster. */
  needsFrom(offset: number): number {
    const { mappings } = this.#window;
    let needed = offset;
    for (let index = 0; index < mappings.length && mappings.hostOffset(index) < offset; index += 1) {
      if (mappings.compressedBytes(index) > 0 && mappings.hostEnd(index) > offset) {
        needed = Math.min(needed, mappings.hostOffset(index));
      }
    }
    return needed;
  }

  /** Where a step from `from` should end, `to` at most. Loads the mappings for it. */
  async stepEnd(from: number, to: number): Promise<number> {
    if (from >= this.#window.until) {
      this.#window = await this.#layout.window(from);
      this.#first = 0;
    }
    let end = Math.min(to, this.#window.until);
    for (let load = this.#load(from, end); end - from > SECTOR_BYTES; load = this.#load(from, end)) {
      if (load <= (end - from > SHORT_STEP_BYTES ? STEP_BYTES : LARGEST_STEP_BYTES)) {
        break;
      }
      end = from + Math.ceil((end - from) / 2 / SECTOR_BYTES) * SECTOR_BYTES;
    }
    return end;
  }

  /** Returns the mappings in the file from `from` to `to`, the end of a step. */
  visit(from: number, to: number, visitor: Qcow2Visitor): void {
    const { mappings } = this.#window;
    const diskEnd = this.#layout.header.virtualBytes;
    while (this.#first < mappings.length && mappings.hostEnd(this.#first) <= from) {
      this.#first += 1;
    }
    for (let index = this.#first; index < mappings.length && mappings.hostOffset(index) < to; index += 1) {
      const compressedBytes = mappings.compressedBytes(index);
      if (compressedBytes === 0) {
        this.#visitPlain(index, from, to, visitor);
        continue;
      }
      const end = mappings.hostEnd(index);
      if (end > from && end <= to) {
        const diskOffset = mappings.diskOffset(index);
        const diskBytes = Math.min(this.#layout.header.clusterBytes, diskEnd - diskOffset);
        visitor.compressed(mappings.hostOffset(index), compressedBytes, diskOffset, diskBytes);
      }
    }
  }

  #visitPlain(index: number, from: number, to: number, visitor: Qcow2Visitor): void {
    const { mappings } = this.#window;
    const { clusterBytes, virtualBytes } = this.#layout.header;
    const subclusters = mappings.subclusters(index);
    const host = mappings.hostOffset(index);
    const disk = mappings.diskOffset(index);
    const tell = (start: number, end: number): void => {
      const first = Math.max(start, from - host);
      const last = Math.min(end, to - host, virtualBytes - disk);
      if (first < last) {
        visitor.plain(host + first, last - first, disk + first);
      }
    };
    if (subclusters === ALL_SUBCLUSTERS) {
      tell(0, mappings.clusters(index) * clusterBytes);
      return;
    }
    const subclusterBytes = clusterBytes / 32;
    for (let bit = 0; bit < 32; bit += 1) {
      if (((subclusters >>> bit) & 1) === 1) {
        tell(bit * subclusterBytes, (bit + 1) * subclusterBytes);
      }
    }
  }

  /** Bytes of the disk that a step would make. */
  #load(from: number, to: number): number {
    let bytes = 0;
    this.visit(from, to, {
      plain: (_hostOffset, length) => {
        bytes += length;
      },
      compressed: () => {
        bytes += this.#layout.header.clusterBytes;
      },
    });
    return bytes;
  }
}
