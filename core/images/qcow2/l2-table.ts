import type { Qcow2Header } from "./header.ts";

/**
 * L2 entries, as 32-bit halves: no entry costs a BigInt. An offset that passes the checks below is a multiple of a sector below
 * 2^56, or smaller than 2^53, so a number holds it exactly.
 */

/** Where bytes of the disk are in the file. */
export type Qcow2Mapping = {
  /** First byte in the file. */
  hostOffset: number;
  /** First cluster of the disk that it belongs to. */
  guestCluster: number;
  /** Clusters that follow each other both in the file and on the disk; 1 for a compressed one. */
  clusters: number;
  /** Bytes of the file that hold the compressed cluster, up to a sector's end; 0 when it is not compressed. */
  compressedBytes: number;
  /** With extended L2: the subclusters that are in the file, bit 0 the first one. All others read as zeros. */
  subclusters: number;
};

/** All of a cluster's subclusters. */
export const ALL_SUBCLUSTERS = 0xffff_ffff;

const SECTOR_BYTES = 512;
const COMPRESSED = 0x4000_0000;
const OFFSET_HIGH = 0x00ff_ffff;
const RESERVED_HIGH = 0x3f00_0000;
const RESERVED_LOW = 0x1fe;
const ZERO_FLAG = 1;

/** Entries of one L1 table: the offset, or 0 for "not there". Undefined when reserved bits are set. */
export function decodeL1Entry(high: number, low: number): number | undefined {
  return (high & 0x7f00_0000) !== 0 || (low & 0x1ff) !== 0 ? undefined : (high & OFFSET_HIGH) * 2 ** 32 + (low >>> 0);
}

/** Bounds against which a table is checked. */
export type L2Context = {
  header: Qcow2Header;
  fileBytes: number;
  /** Whether the host cluster at that offset holds tables, or the header. */
  isMetadata(clusterOffset: number): boolean;
};

/**
 * Iterates over the entries of a table within the disk, in the disk's order; clusters that follow each other are one mapping of at most
 * `runClusters`. The object handed to `visit` is used again for the next one.
 *
 * @param table the bytes of one whole table
 * @param firstCluster the disk's cluster that its first entry is of
 * @returns what is wrong with the table, or undefined
 */
export function walkL2Table(
  table: DataView,
  firstCluster: number,
  context: L2Context,
  runClusters: number,
  visit: (mapping: Qcow2Mapping) => void,
): string | undefined {
  const { header } = context;
  const entryBytes = header.extendedL2 ? 16 : 8;
  const diskClusters = Math.ceil(header.virtualBytes / header.clusterBytes);
  const count = Math.min(header.l2Entries, diskClusters - firstCluster);
  const entry: Qcow2Mapping = newMapping();
  const run: Qcow2Mapping = newMapping();
  for (let index = 0; index < count; index += 1) {
    const at = index * entryBytes;
    const high = table.getUint32(at);
    const low = table.getUint32(at + 4);
    // With extended L2 a bitmap without an offset says "zeros", and must say nothing else.
    if (high === 0 && low === 0 && !header.extendedL2) {
      continue;
    }
    entry.guestCluster = firstCluster + index;
    const wrong = header.extendedL2
      ? decodeExtended(high, low, table.getUint32(at + 8), table.getUint32(at + 12), context, entry)
      : decodeStandard(high, low, context, entry);
    if (wrong !== undefined) {
      return `${wrong} (L2 entry of the disk's cluster ${entry.guestCluster})`;
    }
    if (entry.subclusters !== 0) {
      extendRun(run, entry, header.clusterBytes, runClusters, visit);
    }
  }
  if (run.clusters > 0) {
    visit(run);
  }
  return undefined;
}

function newMapping(): Qcow2Mapping {
  return { hostOffset: 0, guestCluster: 0, clusters: 0, compressedBytes: 0, subclusters: 0 };
}

function extendRun(
  run: Qcow2Mapping,
  entry: Qcow2Mapping,
  clusterBytes: number,
  runClusters: number,
  visit: (mapping: Qcow2Mapping) => void,
): void {
  const follows =
    run.clusters > 0 &&
    run.clusters < runClusters &&
    run.compressedBytes === 0 &&
    entry.compressedBytes === 0 &&
    run.subclusters === ALL_SUBCLUSTERS &&
    entry.subclusters === ALL_SUBCLUSTERS &&
    entry.guestCluster === run.guestCluster + run.clusters &&
    entry.hostOffset === run.hostOffset + run.clusters * clusterBytes;
  if (follows) {
    run.clusters += 1;
    return;
  }
  if (run.clusters > 0) {
    visit(run);
  }
  run.hostOffset = entry.hostOffset;
  run.guestCluster = entry.guestCluster;
  run.clusters = 1;
  run.compressedBytes = entry.compressedBytes;
  run.subclusters = entry.subclusters;
}

/** Fills `entry`; `subclusters` 0 says that nothing of the cluster is in the file. */
function decodeStandard(high: number, low: number, context: L2Context, entry: Qcow2Mapping): string | undefined {
  if ((high & COMPRESSED) !== 0) {
    return decodeCompressed(high, low, context, entry);
  }
  if ((high & RESERVED_HIGH) !== 0 || (low & RESERVED_LOW) !== 0) {
    return "reserved bits are set";
  }
  const zero = (low & ZERO_FLAG) !== 0;
  if (zero && context.header.version === 2) {
    return "a zero flag is set in version 2";
  }
  const offset = (high & OFFSET_HIGH) * 2 ** 32 + ((low & ~0x1ff) >>> 0);
  entry.hostOffset = offset;
  entry.compressedBytes = 0;
  entry.subclusters = offset === 0 || zero ? 0 : ALL_SUBCLUSTERS;
  return offset === 0 ? undefined : wrongWithCluster(offset, context);
}

function decodeExtended(
  high: number,
  low: number,
  zeros: number,
  allocated: number,
  context: L2Context,
  entry: Qcow2Mapping,
): string | undefined {
  if ((high & COMPRESSED) !== 0) {
    return zeros !== 0 || allocated !== 0
      ? "a compressed cluster has a subcluster bitmap"
      : decodeCompressed(high, low, context, entry);
  }
  if ((high & RESERVED_HIGH) !== 0 || (low & (RESERVED_LOW | ZERO_FLAG)) !== 0) {
    return "reserved bits are set";
  }
  const offset = (high & OFFSET_HIGH) * 2 ** 32 + ((low & ~0x1ff) >>> 0);
  if ((zeros & allocated) !== 0) {
    return "a subcluster is both allocated and zero";
  }
  if (offset === 0 && allocated !== 0) {
    return "a subcluster is allocated without a cluster";
  }
  entry.hostOffset = offset;
  entry.compressedBytes = 0;
  entry.subclusters = allocated;
  return offset === 0 ? undefined : wrongWithCluster(offset, context);
}

/** A cluster must begin inside the file; one that is cut by the file's end reads as zeros from there. */
function wrongWithCluster(offset: number, context: L2Context): string | undefined {
  if (offset % context.header.clusterBytes !== 0) {
    return `the cluster at ${offset} is not aligned`;
  }
  if (offset >= context.fileBytes) {
    return `the cluster at ${offset} is behind the end of the file`;
  }
  return context.isMetadata(offset) ? `the cluster at ${offset} is a table of the image` : undefined;
}

/** The descriptor's width of the offset follows from the size of a cluster: 62 - (cluster_bits - 8) bits. */
function decodeCompressed(high: number, low: number, context: L2Context, entry: Qcow2Mapping): string | undefined {
  const { clusterBits, clusterBytes } = context.header;
  const offsetHighBits = 62 - (clusterBits - 8) - 32;
  const offsetHigh = high & (2 ** offsetHighBits - 1);
  const sectors = ((high >>> offsetHighBits) & (2 ** (clusterBits - 8) - 1)) + 1;
  // 2^53 and beyond: no file is that long, and a number would not be exact.
  const offset = offsetHigh >= 2 ** 21 ? Number.POSITIVE_INFINITY : offsetHigh * 2 ** 32 + (low >>> 0);
  if (offset >= context.fileBytes) {
    return `the compressed cluster at ${offset} is behind the end of the file`;
  }
  const end = Math.min(Math.floor(offset / SECTOR_BYTES) * SECTOR_BYTES + sectors * SECTOR_BYTES, context.fileBytes);
  if (context.isMetadata(Math.floor(offset / clusterBytes) * clusterBytes)) {
    return `the compressed cluster at ${offset} is in a table of the image`;
  }
  entry.hostOffset = offset;
  entry.compressedBytes = end - offset;
  entry.subclusters = ALL_SUBCLUSTERS;
  return undefined;
}
