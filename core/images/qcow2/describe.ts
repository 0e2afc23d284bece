/** The values of a qcow2 header, for people: none is trusted, and invalid ones are null. */
export type Qcow2Description = {
  version: number;
  virtual_size: number | null;
  cluster_size: number | null;
  /** The name in the header; it is never followed. */
  backing_file: string | null;
  encrypted: boolean;
  snapshots: number;
  /** Numbers of the bits that are set. */
  incompatible_features: number[];
};

const LONGEST_NAME = 1023;

/** @param head the first bytes of the file, at least 112 */
export function describeQcow2(head: Uint8Array): Qcow2Description {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const version = view.getUint32(4);
  const virtualSize = view.getBigUint64(24);
  const clusterBits = view.getUint32(20);
  const features = version >= 3 ? view.getBigUint64(72) : 0n;
  return {
    version,
    virtual_size: virtualSize <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(virtualSize) : null,
    cluster_size: clusterBits >= 9 && clusterBits <= 21 ? 2 ** clusterBits : null,
    backing_file: backingFileOf(head, view),
    encrypted: view.getUint32(32) !== 0,
    snapshots: view.getUint32(60),
    incompatible_features: Array.from({ length: 64 }, (_, bit) => bit).filter(
      (bit) => ((features >> BigInt(bit)) & 1n) === 1n,
    ),
  };
}

function backingFileOf(head: Uint8Array, view: DataView): string | null {
  const offset = view.getBigUint64(8);
  const length = view.getUint32(16);
  if (offset === 0n) {
    return null;
  }
  if (length === 0 || length > LONGEST_NAME || offset + BigInt(length) > BigInt(head.length)) {
    return "(a name that cannot be read)";
  }
  const bytes = head.subarray(Number(offset), Number(offset) + length);
  return new TextDecoder("latin1").decode(bytes).replaceAll(/[^\x20-\x7e]/g, "?");
}
