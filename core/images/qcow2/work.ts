import { ImageUnacceptable } from "../../errors.ts";
import type { Qcow2Rules } from "./header.ts";
import { ALL_SUBCLUSTERS, type Qcow2Mapping } from "./l2-table.ts";

/**
 * How much work an image may be, as a multiple of its file and of the volume together. Everything is counted while the tables are read
 * the first time, so an image that exceeds a bound is refused before a byte is written.
 *
 * The volume bounds the writes of a copy, because each cluster of the disk is written once. These bounds hold for the rest: a piece costs a
 * write or a decompression however small it is, tables are read again for each part of a file with too many mappings to hold, and
 * compressed clusters may all be made of the same few bytes.
 */

/** Bytes of file and volume for each piece: enough for scattered clusters of 2 KiB. Clusters that follow each other are one piece. */
const BYTES_FOR_EACH_PIECE = 2048;

/** The part of file and volume that may be read as tables beyond the first reading of all tables. */
const TABLE_SHARE = 1 / 4;

/** Bytes of the disk that may be decompressed from clusters that end in one sector of the file: that is the smallest step of a copy. */
const DECOMPRESSED_BYTES_FOR_EACH_SECTOR = 2 ** 30;

const SECTOR_BYTES = 512;

/** Sectors that are counted apart. Those of a larger file share counters, which matters only to images of many TiB. */
const COUNTERS = 2 ** 20;

/** Counts an image's work as its tables are read. */
export class Qcow2Work {
  readonly #rules: Qcow2Rules;
  readonly #clusterBytes: number;
  readonly #compressedEnds: Uint32Array;
  #pieces = 0;
  #mostInOneSector = 0;

  constructor(rules: Qcow2Rules, clusterBytes: number) {
    this.#rules = rules;
    this.#clusterBytes = clusterBytes;
    this.#compressedEnds = new Uint32Array(Math.min(COUNTERS, Math.ceil(rules.fileBytes / SECTOR_BYTES)));
  }

  /** Bytes of the file and of the volume. */
  get #bytes(): number {
    return this.#rules.fileBytes + this.#rules.volumeBytes;
  }

  /** @throws ImageUnacceptable as soon as the mappings so far are too much work */
  add({ hostOffset, compressedBytes, subclusters }: Qcow2Mapping): void {
    this.#pieces += subclusters === ALL_SUBCLUSTERS ? 1 : bitsOf(subclusters);
    if (this.#pieces > this.#bytes / BYTES_FOR_EACH_PIECE) {
      this.#refuse(
        `its disk is in more than ${Math.floor(this.#bytes / BYTES_FOR_EACH_PIECE)} pieces, one for each ${BYTES_FOR_EACH_PIECE} bytes of its file and the volume`,
      );
    }
    if (compressedBytes > 0) {
      const counter = Math.floor((hostOffset + compressedBytes - 1) / SECTOR_BYTES) % this.#compressedEnds.length;
      const count = (this.#compressedEnds[counter] ?? 0) + 1;
      this.#compressedEnds[counter] = count;
      this.#mostInOneSector = Math.max(this.#mostInOneSector, count);
      if (this.#mostInOneSector * this.#clusterBytes > DECOMPRESSED_BYTES_FOR_EACH_SECTOR) {
        this.#refuse(
          `more than ${DECOMPRESSED_BYTES_FOR_EACH_SECTOR} bytes of its disk are compressed into the same ${SECTOR_BYTES} bytes of its file`,
        );
      }
    }
  }

  /**
   * @param bytesOfOneReading that a reading of all tables reads
   * @param again how often all of them are read after the first time
   * @throws ImageUnacceptable
   */
  requireFewReadings(bytesOfOneReading: number, again: number): void {
    if (bytesOfOneReading * again > this.#bytes * TABLE_SHARE) {
      this.#refuse(
        `its ${bytesOfOneReading} bytes of tables would have to be read ${again} times more, which is too much for ${this.#bytes} bytes of file and volume`,
      );
    }
  }

  #refuse(reason: string): never {
    throw new ImageUnacceptable(this.#rules.imageId, reason);
  }
}

function bitsOf(word: number): number {
  let bits = 0;
  for (let left = word; left !== 0; left &= left - 1) {
    bits += 1;
  }
  return bits;
}
