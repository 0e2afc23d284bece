import { deflateRawSync, zstdCompressSync } from "node:zlib";

/** Content of a cluster of the disk. */
export type ClusterKind = "data" | "compressed" | "zero" | "zero allocated" | "absent" | "shared";

/** A qcow2 image to make, small and plain, without refcounts: a reader has no use for them. */
export type Qcow2Plan = {
  version: 2 | 3;
  clusterBits: number;
  compression: "zlib" | "zstd";
  virtualBytes: number;
  /** The disk's clusters in order; omitted ones are absent. */
  clusters: readonly { kind: ClusterKind; seed: number }[];
  /** Content of a cluster, in place of {@link clusterContent}. */
  content?: (bytes: number, seed: number) => Buffer;
  /** Whether tables come after the data. */
  tablesLast: boolean;
};

const COPIED = 1n << 63n;
const COMPRESSED = 1n << 62n;

/** Writes images, and knows the disk they hold. */
export function writeQcow2(plan: Qcow2Plan): { file: Buffer; disk: Buffer } {
  const clusterBytes = 2 ** plan.clusterBits;
  const l2Entries = clusterBytes / 8;
  const diskClusters = Math.ceil(plan.virtualBytes / clusterBytes);
  const l2Tables = Math.ceil(diskClusters / l2Entries);
  const disk = Buffer.alloc(diskClusters * clusterBytes);
  const entries = new BigUint64Array(l2Tables * l2Entries);
  const parts: Buffer[] = [];
  let end = 0;
  const add = (bytes: Buffer): number => {
    parts.push(bytes);
    end += bytes.length;
    return end - bytes.length;
  };
  const align = (): void => void add(Buffer.alloc((clusterBytes - (end % clusterBytes)) % clusterBytes));
  const header = Buffer.alloc(clusterBytes);
  add(header);
  const l1 = Buffer.alloc(Math.ceil((l2Tables * 8) / clusterBytes) * clusterBytes);
  const tables = Buffer.alloc(l2Tables * clusterBytes);
  let l1Offset = plan.tablesLast ? 0 : add(l1);
  let tablesOffset = plan.tablesLast ? 0 : add(tables);
  let lastData: { offset: number; bytes: Buffer } | undefined;
  plan.clusters.slice(0, diskClusters).forEach(({ kind, seed }, index) => {
    const content = (plan.content ?? clusterContent)(clusterBytes, seed);
    const place = (bytes: Buffer): void => void bytes.copy(disk, index * clusterBytes);
    if (kind === "compressed") {
      const packed = plan.compression === "zlib" ? deflateRawSync(content) : zstdCompressSync(content);
      if (packed.length >= clusterBytes) {
        return;
      }
      const offset = add(packed);
      const sectors = Math.floor((offset + packed.length - 1) / 512) - Math.floor(offset / 512);
      entries[index] = COMPRESSED | (BigInt(sectors) << BigInt(62 - (plan.clusterBits - 8))) | BigInt(offset);
      place(content);
    } else if (kind === "data" || (kind === "zero allocated" && plan.version === 3)) {
      align();
      const offset = add(content);
      entries[index] = COPIED | BigInt(offset) | (kind === "data" ? 0n : 1n);
      if (kind === "data") {
        lastData = { offset, bytes: content };
        place(content);
      }
    } else if (kind === "zero" && plan.version === 3) {
      entries[index] = 1n;
    } else if (kind === "shared" && lastData !== undefined) {
      entries[index] = BigInt(lastData.offset);
      place(lastData.bytes);
    }
  });
  align();
  if (plan.tablesLast) {
    tablesOffset = add(tables);
    l1Offset = add(l1);
  }
  entries.forEach((entry, index) => tables.writeBigUInt64BE(entry, index * 8));
  for (let table = 0; table < l2Tables; table += 1) {
    l1.writeBigUInt64BE(COPIED | BigInt(tablesOffset + table * clusterBytes), table * 8);
  }
  writeHeader(header, plan, l2Tables, l1Offset);
  return { file: Buffer.concat(parts), disk: disk.subarray(0, plan.virtualBytes) };
}

/** An image whose disk, of usual clusters, is one compressed cluster over and over: small, and much work. */
export function aSharedClusterImage(virtualBytes: number, packed: Buffer): { file: Buffer } {
  const clusterBytes = 65_536;
  const plan = {
    version: 3,
    clusterBits: 16,
    compression: "zlib",
    virtualBytes,
    clusters: [],
    tablesLast: false,
  } as const;
  const l2Entries = clusterBytes / 8;
  const tables = Math.ceil(virtualBytes / clusterBytes / l2Entries);
  const header = Buffer.alloc(clusterBytes);
  const l1 = Buffer.alloc(clusterBytes);
  const l2 = Buffer.alloc(tables * clusterBytes);
  const dataOffset = header.length + l1.length + l2.length;
  for (let table = 0; table < tables; table += 1) {
    l1.writeBigUInt64BE(COPIED | BigInt(header.length + l1.length + table * clusterBytes), table * 8);
  }
  const sectors = BigInt(Math.ceil(packed.length / 512) - 1);
  for (let at = 0; at < l2.length; at += 8) {
    l2.writeBigUInt64BE(COMPRESSED | (sectors << 54n) | BigInt(dataOffset), at);
  }
  writeHeader(header, plan, tables, header.length);
  return { file: Buffer.concat([header, l1, l2, packed, Buffer.alloc(512 - (packed.length % 512))]) };
}

/** An image of a disk of about that size, with clusters of each kind; always the same. */
export function aQcow2Image(bytes: number): { file: Buffer; disk: Buffer } {
  const kinds: ClusterKind[] = ["data", "data", "compressed", "absent", "shared", "compressed", "zero"];
  const clusters = Array.from({ length: Math.ceil(bytes / 65_536) }, (_, index) => ({
    kind: kinds[(index * 5 + Math.floor(index / 7)) % kinds.length] ?? "absent",
    seed: index,
  }));
  const virtualBytes = Math.floor(bytes / 512) * 512;
  return writeQcow2({ version: 3, clusterBits: 16, compression: "zlib", virtualBytes, clusters, tablesLast: false });
}

function writeHeader(header: Buffer, plan: Qcow2Plan, l1Size: number, l1Offset: number): void {
  header.write("QFI\xfb", 0, "latin1");
  header.writeUInt32BE(plan.version, 4);
  header.writeUInt32BE(plan.clusterBits, 20);
  header.writeBigUInt64BE(BigInt(plan.virtualBytes), 24);
  header.writeUInt32BE(l1Size, 36);
  header.writeBigUInt64BE(BigInt(l1Offset), 40);
  if (plan.version === 3) {
    header.writeBigUInt64BE(plan.compression === "zstd" ? 8n : 0n, 72);
    header.writeUInt32BE(4, 96);
    header.writeUInt32BE(112, 100);
    header.writeUInt8(plan.compression === "zstd" ? 1 : 0, 104);
  }
}

/** Half of it noise, half of it one byte: it can be compressed, and no two seeds give the same. */
export function clusterContent(bytes: number, seed: number): Buffer {
  const content = Buffer.alloc(bytes, 1 + (seed % 255));
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  for (let at = 0; at < bytes / 2; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    content.writeUInt32LE(state, at);
  }
  return content;
}
