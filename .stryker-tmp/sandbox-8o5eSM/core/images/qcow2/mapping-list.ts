// @ts-nocheck
import { ALL_SUBCLUSTERS, type Qcow2Mapping } from "./l2-table.ts";

const COMPRESSED = 0x8000_0000;

/** Mappings in typed arrays: a few hundred thousand of them take 24 bytes each, and nothing of the heap. */
export class MappingList {
  readonly #capacity: number;
  readonly #clusterBytes: number;
  #host: Float64Array<ArrayBuffer>;
  #guest: Float64Array<ArrayBuffer>;
  /** Clusters, or the bytes of a compressed one with the highest bit set. */
  #extent: Uint32Array<ArrayBuffer>;
  #subclusters: Uint32Array<ArrayBuffer>;
  #length = 0;

  constructor(capacity: number, clusterBytes: number) {
    this.#capacity = capacity;
    this.#clusterBytes = clusterBytes;
    const first = Math.min(capacity, 1024);
    this.#host = new Float64Array(first);
    this.#guest = new Float64Array(first);
    this.#extent = new Uint32Array(first);
    this.#subclusters = new Uint32Array(first);
  }

  get length(): number {
    return this.#length;
  }

  /** False when the list is full. */
  add(mapping: Qcow2Mapping): boolean {
    if (this.#length === this.#host.length && !this.#grow()) {
      return false;
    }
    const index = this.#length;
    this.#host[index] = mapping.hostOffset;
    this.#guest[index] = mapping.guestCluster;
    this.#extent[index] = mapping.compressedBytes > 0 ? COMPRESSED | mapping.compressedBytes : mapping.clusters;
    this.#subclusters[index] = mapping.subclusters;
    this.#length += 1;
    return true;
  }

  hostOffset(index: number): number {
    return this.#host[index] ?? 0;
  }

  /** First byte of the file behind the mapping. */
  hostEnd(index: number): number {
    const compressed = this.compressedBytes(index);
    return this.hostOffset(index) + (compressed > 0 ? compressed : this.clusters(index) * this.#clusterBytes);
  }

  /** Byte of the disk where it begins. */
  diskOffset(index: number): number {
    return (this.#guest[index] ?? 0) * this.#clusterBytes;
  }

  clusters(index: number): number {
    const extent = this.#extent[index] ?? 0;
    return extent >= COMPRESSED ? 1 : extent;
  }

  /** 0 when it is not compressed. */
  compressedBytes(index: number): number {
    const extent = this.#extent[index] ?? 0;
    return extent >= COMPRESSED ? extent - COMPRESSED : 0;
  }

  subclusters(index: number): number {
    return this.#subclusters[index] ?? ALL_SUBCLUSTERS;
  }

  /** Puts them into the order of the file. */
  sort(): void {
    let sorted = true;
    for (let index = 1; index < this.#length && sorted; index += 1) {
      sorted = this.hostOffset(index - 1) <= this.hostOffset(index);
    }
    if (sorted) {
      return;
    }
    const host = this.#host;
    const order = Uint32Array.from({ length: this.#length }, (_, index) => index);
    order.sort((a, b) => (host[a] ?? 0) - (host[b] ?? 0));
    this.#host = arranged(this.#host, new Float64Array(this.#length), order);
    this.#guest = arranged(this.#guest, new Float64Array(this.#length), order);
    this.#extent = arranged(this.#extent, new Uint32Array(this.#length), order);
    this.#subclusters = arranged(this.#subclusters, new Uint32Array(this.#length), order);
  }

  #grow(): boolean {
    const length = Math.min(this.#host.length * 4, this.#capacity);
    if (length === this.#host.length) {
      return false;
    }
    const larger = <List extends { set(from: List): void }>(from: List, to: List): List => {
      to.set(from);
      return to;
    };
    this.#host = larger(this.#host, new Float64Array(length));
    this.#guest = larger(this.#guest, new Float64Array(length));
    this.#extent = larger(this.#extent, new Uint32Array(length));
    this.#subclusters = larger(this.#subclusters, new Uint32Array(length));
    return true;
  }
}

function arranged<List extends Float64Array | Uint32Array>(from: List, to: List, order: Uint32Array): List {
  for (let index = 0; index < order.length; index += 1) {
    to[index] = from[order[index] ?? 0] ?? 0;
  }
  return to;
}
