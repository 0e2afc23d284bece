import { ImageUnacceptable } from "../../errors.ts";
import { parseQcow2Header, type Qcow2Header, type Qcow2Rules } from "./header.ts";
import { type Qcow2Mapping, walkL2Table } from "./l2-table.ts";
import { MappingList } from "./mapping-list.ts";
import { type Checksum, type FileBytes, Qcow2Tables } from "./tables.ts";
import { Qcow2Work } from "./work.ts";

/** Mappings held at a time: 12 MiB of them. A disk of 500 GiB in order, or of 32 GiB in the worst order, needs no more. */
const MAX_MAPPINGS = 2 ** 19;

/** Clusters that follow each other are one mapping up to this size, so that processed ones can be dropped soon. */
const RUN_BYTES = 2 ** 20;

/** A compressed cluster of the largest size that says it has twice as many bytes. */
const LONGEST_MAPPING_BYTES = 2 ** 22;

/** Parts of the file for which mappings are counted. */
const BUCKETS = 4096;
const BUCKET_UNIT_BYTES = 2 ** 16;

/** Summary of an image's tables. */
export type Qcow2Survey = { data_clusters: number; compressed_clusters: number };

/** The mappings that begin before `until` and end behind the place that was asked for, in the order of the file. */
export type Qcow2Window = { mappings: MappingList; until: number };

/**
 * Where the bytes of a qcow2 image belong on its disk, in the order of its file: what one sequential pass over the file needs.
 *
 * All tables are read and judged, and the work counted (see `work.ts`), before the first mapping is returned. Memory is bounded: with more
 * mappings than {@link MAX_MAPPINGS}, the file is divided into windows, and the tables are read again for each.
 */
export class Qcow2Layout {
  readonly header: Qcow2Header;
  readonly tables: Qcow2Tables;
  readonly survey: Qcow2Survey;
  readonly #rules: Qcow2Rules;
  readonly #buckets: Float64Array;
  readonly #tableChecksums: Uint32Array;
  /** All mappings, when they are few enough. */
  readonly #all: MappingList | undefined;

  private constructor(
    base: { header: Qcow2Header; tables: Qcow2Tables; rules: Qcow2Rules },
    found: { survey: Qcow2Survey; buckets: Float64Array; tableChecksums: Uint32Array; all: MappingList | undefined },
  ) {
    this.header = base.header;
    this.tables = base.tables;
    this.#rules = base.rules;
    this.survey = found.survey;
    this.#buckets = found.buckets;
    this.#tableChecksums = found.tableChecksums;
    this.#all = found.all;
  }

  /**
   * Reads and judges all of an image's metadata.
   *
   * @param head the first bytes of the file, as `parseQcow2Header` wants them
   * @throws ImageUnacceptable; whatever `bytes` throws
   */
  static async read(head: Uint8Array, bytes: FileBytes, rules: Qcow2Rules, checksum: Checksum): Promise<Qcow2Layout> {
    const header = parseQcow2Header(head, rules);
    const tables = await Qcow2Tables.read(header, bytes, rules, checksum);
    const survey: Qcow2Survey = { data_clusters: 0, compressed_clusters: 0 };
    const buckets = new Float64Array(BUCKETS);
    const tableChecksums = new Uint32Array(tables.length);
    const all = new MappingList(MAX_MAPPINGS, header.clusterBytes);
    let isComplete = true;
    const bucketBytes = bucketBytesOf(rules.fileBytes);
    const work = new Qcow2Work(rules, header.clusterBytes);
    const count = (mapping: Qcow2Mapping): void => {
      const bucket = Math.floor(mapping.hostOffset / bucketBytes);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
      if (mapping.compressedBytes > 0) {
        survey.compressed_clusters += 1;
      } else {
        survey.data_clusters += mapping.clusters;
      }
      work.add(mapping);
      isComplete &&= all.add(mapping);
    };
    const base = { header, tables, rules };
    await tables.scan((table, index, firstCluster) => {
      tableChecksums[index] = checksum(table);
      walk(base, table, firstCluster, count);
    });
    requireRoomInBuckets(buckets, bucketBytes, rules);
    if (isComplete) {
      all.sort();
    } else {
      work.requireFewReadings(tables.bytesOfOneReading, windowsOf(buckets));
    }
    return new Qcow2Layout(base, { survey, buckets, tableChecksums, all: isComplete ? all : undefined });
  }

  /** Bytes of the file. */
  get fileBytes(): number {
    return this.#rules.fileBytes;
  }

  /** Checksum of an L2 table, by its index in {@link tables}. */
  tableChecksum(index: number): number {
    return this.#tableChecksums[index] ?? 0;
  }

  /** The mappings of the file from `from` on, as many as may be held at once. */
  async window(from: number): Promise<Qcow2Window> {
    if (this.#all !== undefined) {
      return { mappings: this.#all, until: this.fileBytes };
    }
    const until = this.#windowEnd(from);
    const mappings = new MappingList(MAX_MAPPINGS, this.header.clusterBytes);
    const base = { header: this.header, tables: this.tables, rules: this.#rules };
    const collect = (mapping: Qcow2Mapping): void => {
      const hostBytes =
        mapping.compressedBytes > 0 ? mapping.compressedBytes : mapping.clusters * this.header.clusterBytes;
      if (mapping.hostOffset < until && mapping.hostOffset + hostBytes > from && !mappings.add(mapping)) {
        throw tooDense(this.#rules, until - from);
      }
    };
    await this.tables.scan((table, _index, firstCluster) => walk(base, table, firstCluster, collect));
    mappings.sort();
    return { mappings, until };
  }

  #windowEnd(from: number): number {
    const bucketBytes = bucketBytesOf(this.fileBytes);
    const end = bucketBehindWindow(this.#buckets, Math.floor(from / bucketBytes)) * bucketBytes;
    return Math.min(end, this.fileBytes);
  }
}

/** The bucket behind the window that begins with a bucket. Half of the room is left for mappings that begin before the window. */
function bucketBehindWindow(buckets: Float64Array, first: number): number {
  let count = buckets[first] ?? 0;
  let bucket = first + 1;
  for (; bucket < BUCKETS; bucket += 1) {
    count += buckets[bucket] ?? 0;
    if (count > MAX_MAPPINGS / 2) {
      break;
    }
  }
  return bucket;
}

/** How many windows one pass over the file has. */
function windowsOf(buckets: Float64Array): number {
  let windows = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket = bucketBehindWindow(buckets, bucket)) {
    windows += 1;
  }
  return windows;
}

/** Whole clusters of the usual size, so that the end of a window cuts none of them. */
function bucketBytesOf(fileBytes: number): number {
  return Math.max(1, Math.ceil(fileBytes / BUCKETS / BUCKET_UNIT_BYTES)) * BUCKET_UNIT_BYTES;
}

function walk(
  { header, tables, rules }: { header: Qcow2Header; tables: Qcow2Tables; rules: Qcow2Rules },
  table: Uint8Array,
  firstCluster: number,
  visit: (mapping: Qcow2Mapping) => void,
): void {
  const wrong = walkL2Table(
    new DataView(table.buffer, table.byteOffset, table.byteLength),
    firstCluster,
    { header, fileBytes: rules.fileBytes, isMetadata: (offset) => tables.isMetadata(offset) },
    Math.max(1, RUN_BYTES / header.clusterBytes),
    visit,
  );
  if (wrong !== undefined) {
    throw new ImageUnacceptable(rules.imageId, wrong);
  }
}

/** Room for the mappings of each bucket, and for those that begin before it and may end in it. */
function requireRoomInBuckets(buckets: Float64Array, bucketBytes: number, rules: Qcow2Rules): void {
  const earlier = Math.ceil(LONGEST_MAPPING_BYTES / bucketBytes);
  let before = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    const count = buckets[bucket] ?? 0;
    if (count > MAX_MAPPINGS / 2 || before > MAX_MAPPINGS / 2) {
      throw tooDense(rules, bucketBytes);
    }
    before += count - (buckets[bucket - earlier] ?? 0);
  }
}

/** Only an image whose clusters share their bytes many thousand times gets here. */
function tooDense(rules: Qcow2Rules, bytes: number): ImageUnacceptable {
  return new ImageUnacceptable(
    rules.imageId,
    `more than ${MAX_MAPPINGS / 2} parts of its disk are made of the same ${bytes} bytes of the file`,
  );
}
