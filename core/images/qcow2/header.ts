import { ImageUnacceptable } from "../../errors.ts";

/**
 * The header of a qcow2 image (QEMU's `docs/interop/qcow2.rst`), versions 2 and 3. Decides whether a header is acceptable, from the first
 * bytes of the content, before any allocation depends on it. Stricter than `qemu-img`: nothing outside the file is ever needed to read an
 * image that passes.
 */

/** How a compressed cluster is compressed: a raw deflate stream, or one zstd frame. */
export type Qcow2Compression = "zlib" | "zstd";

/** The header of an acceptable image. */
export type Qcow2Header = {
  version: 2 | 3;
  clusterBits: number;
  clusterBytes: number;
  /** Size of the disk, bytes. */
  virtualBytes: number;
  l1Offset: number;
  /** Entries of the L1 table that the disk's size needs; the table may have more. */
  l1Entries: number;
  /** Entries of one L2 table. */
  l2Entries: number;
  compression: Qcow2Compression;
  /** L2 entries of 16 bytes, with a bitmap of 32 subclusters. */
  extendedL2: boolean;
};

/** Options of acceptance. */
export type Qcow2Rules = {
  /** Names the image in errors. */
  imageId: string;
  /** Bytes of the file, from the image service or the file system. */
  fileBytes: number;
  /** Bytes of the volume. */
  volumeBytes: number;
  /** Whether subclusters are read. Cinder's own inspection refuses them. */
  allowExtendedL2: boolean;
};

/** Bytes from the start that {@link parseQcow2Header} wants to see, or all there are. */
export const QCOW2_HEAD_BYTES = 65_536;

/** No image is shorter: QEMU's smallest cluster. */
const QCOW2_MIN_BYTES = 512;

const MAGIC = 0x514649fb;
const V2_HEADER_BYTES = 72;
const V3_HEADER_BYTES = 104;
const MIN_CLUSTER_BITS = 9;
const MAX_CLUSTER_BITS = 21;
/** With subclusters, of which each has at least 512 bytes. */
const MIN_EXTENDED_CLUSTER_BITS = 14;
/** QEMU's own limit, `QCOW_MAX_L1_SIZE`. */
const MAX_L1_BYTES = 32 * 2 ** 20;
const MAX_REFCOUNT_ORDER = 6;
const GIB = 2 ** 30;

const INCOMPATIBLE = { dirty: 1n, corrupt: 2n, dataFile: 4n, compressionType: 8n, extendedL2: 16n } as const;
const KNOWN_INCOMPATIBLE = 31n;

/**
 * Reads and judges the header.
 *
 * @param head the first {@link QCOW2_HEAD_BYTES} of the file, or all of it
 * @throws ImageUnacceptable that names the problem
 */
export function parseQcow2Header(head: Uint8Array, rules: Qcow2Rules): Qcow2Header {
  const refuse = (reason: string): never => {
    throw new ImageUnacceptable(rules.imageId, reason);
  };
  if (rules.fileBytes < QCOW2_MIN_BYTES || head.length < QCOW2_MIN_BYTES) {
    refuse(`${rules.fileBytes} bytes are too few for a qcow2 image`);
  }
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (view.getUint32(0) !== MAGIC) {
    refuse("it is declared qcow2 but its content is not");
  }
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3) {
    return refuse(`qcow2 version ${version} is not supported, only 2 and 3`);
  }
  if (view.getBigUint64(8) !== 0n) {
    refuse("it has a backing file");
  }
  const clusterBits = view.getUint32(20);
  if (clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS) {
    refuse(`clusters of 2^${clusterBits} bytes are not legal`);
  }
  const features = version === 2 ? V2_FEATURES : readFeatures(view, clusterBits, rules, refuse);
  const cryptMethod = view.getUint32(32);
  if (cryptMethod !== 0) {
    refuse(`it is encrypted (method ${cryptMethod})`);
  }
  const clusterBytes = 2 ** clusterBits;
  requireExtensionsInside(view, features.headerBytes, clusterBytes, refuse);
  const virtualBytes = readVirtualSize(view, rules, refuse);
  const l2Entries = clusterBytes / (features.extendedL2 ? 16 : 8);
  const { l1Offset, l1Entries } = readL1(view, { virtualBytes, clusterBytes, l2Entries }, rules, refuse);
  const { compression, extendedL2 } = features;
  return { version, clusterBits, clusterBytes, virtualBytes, l1Offset, l1Entries, l2Entries, compression, extendedL2 };
}

type Refuse = (reason: string) => never;

type Features = { headerBytes: number; compression: Qcow2Compression; extendedL2: boolean };

const V2_FEATURES: Features = { headerBytes: V2_HEADER_BYTES, compression: "zlib", extendedL2: false };

function readFeatures(view: DataView, clusterBits: number, rules: Qcow2Rules, refuse: Refuse): Features {
  const incompatible = view.getBigUint64(72);
  const has = (feature: bigint): boolean => (incompatible & feature) !== 0n;
  if (has(INCOMPATIBLE.dataFile)) {
    refuse("its data are in another file");
  }
  const unknown = incompatible & ~KNOWN_INCOMPATIBLE;
  if (unknown !== 0n) {
    refuse(`it has unknown incompatible features (0x${unknown.toString(16)})`);
  }
  if (has(INCOMPATIBLE.corrupt)) {
    refuse("it is marked as corrupt");
  }
  const extendedL2 = has(INCOMPATIBLE.extendedL2);
  if (extendedL2 && !rules.allowExtendedL2) {
    refuse("it has extended L2 entries, which are not allowed here");
  }
  if (extendedL2 && clusterBits < MIN_EXTENDED_CLUSTER_BITS) {
    refuse(`extended L2 entries need larger clusters than 2^${clusterBits} bytes`);
  }
  const refcountOrder = view.getUint32(96);
  if (refcountOrder > MAX_REFCOUNT_ORDER) {
    refuse(`refcounts of 2^${refcountOrder} bits are not legal`);
  }
  const headerBytes = view.getUint32(100);
  if (headerBytes < V3_HEADER_BYTES || headerBytes % 8 !== 0 || headerBytes > 2 ** clusterBits) {
    refuse(`a header length of ${headerBytes} is not legal`);
  }
  const compressionType = headerBytes > V3_HEADER_BYTES ? view.getUint8(104) : 0;
  if (compressionType > 1 || (compressionType !== 0) !== has(INCOMPATIBLE.compressionType)) {
    refuse(`compression type ${compressionType} is not legal with its features`);
  }
  return { headerBytes, compression: compressionType === 0 ? "zlib" : "zstd", extendedL2 };
}

/** The list of extensions must end, or be cut by the end of the first cluster, as QEMU has it. Their values are not used. */
function requireExtensionsInside(view: DataView, headerBytes: number, clusterBytes: number, refuse: Refuse): void {
  const end = Math.min(clusterBytes, view.byteLength);
  for (let at = headerBytes; at + 8 <= end;) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    if (type === 0) {
      return;
    }
    if (length > clusterBytes - at - 8) {
      refuse(`a header extension of ${length} bytes leaves the first cluster`);
    }
    at += 8 + Math.ceil(length / 8) * 8;
  }
}

/** In 64-bit arithmetic until it is known to be no more than the volume. */
function readVirtualSize(view: DataView, rules: Qcow2Rules, refuse: Refuse): number {
  const virtualBytes = view.getBigUint64(24);
  const volumeBytes = BigInt(Math.min(rules.volumeBytes, Number.MAX_SAFE_INTEGER));
  if (virtualBytes > volumeBytes) {
    const gib = (virtualBytes + BigInt(GIB - 1)) / BigInt(GIB);
    const volumeGib = Math.floor(rules.volumeBytes / GIB);
    refuse(`its virtual size of ${virtualBytes} bytes (${gib} GiB) is larger than a volume of ${volumeGib} GiB`);
  }
  return Number(virtualBytes);
}

function readL1(
  view: DataView,
  disk: { virtualBytes: number; clusterBytes: number; l2Entries: number },
  rules: Qcow2Rules,
  refuse: Refuse,
): { l1Offset: number; l1Entries: number } {
  const size = view.getUint32(36);
  const l1Entries = Math.ceil(disk.virtualBytes / (disk.clusterBytes * disk.l2Entries));
  if (size * 8 > MAX_L1_BYTES) {
    refuse(`an L1 table of ${size} entries is too large`);
  }
  if (size < l1Entries) {
    refuse(`an L1 table of ${size} entries is too small for its virtual size, which needs ${l1Entries}`);
  }
  const offset = view.getBigUint64(40);
  if (offset % BigInt(disk.clusterBytes) !== 0n) {
    refuse(`its L1 table at ${offset} is not aligned to a cluster`);
  }
  if (size > 0 && (offset === 0n || offset + BigInt(size) * 8n > BigInt(rules.fileBytes))) {
    refuse(`its L1 table at ${offset} is not inside the file of ${rules.fileBytes} bytes`);
  }
  return { l1Offset: size === 0 ? 0 : Number(offset), l1Entries };
}
