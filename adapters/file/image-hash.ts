import { createHash as createNodeHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { createMD5, createSHA256, createSHA512, type IHasher } from "hash-wasm";
import type { HashAlgorithm } from "../../core/images/acceptance.ts";
import { CHUNK_BYTES } from "./sparse.ts";

/** A hash of an image's bytes in their order. */
export type ImageHasher = {
  update(bytes: Uint8Array): void;
  /** In hexadecimal; ends the hash. */
  digest(): string;
  /** To go on with after an interruption; undefined when the bytes have to be read again for that. */
  state(): string | undefined;
};

/** A hash whose state can be kept: at most 300 characters. */
export async function createHash(algorithm: HashAlgorithm, state?: string): Promise<ImageHasher> {
  const make = { sha512: createSHA512, sha256: createSHA256, md5: createMD5 }[algorithm];
  const hasher: IHasher = await make();
  if (state === undefined) {
    hasher.init();
  } else {
    hasher.load(Buffer.from(state, "base64"));
  }
  return {
    update: (bytes) => void hasher.update(bytes),
    digest: () => hasher.digest("hex"),
    state: () => Buffer.from(hasher.save()).toString("base64"),
  };
}

/** Node's own hash, twice as fast, whose state cannot be kept. */
export function createFastHash(algorithm: HashAlgorithm): ImageHasher {
  const hasher = createNodeHash(algorithm);
  return {
    update: (bytes) => void hasher.update(bytes),
    digest: () => hasher.digest("hex"),
    state: () => undefined,
  };
}

/** The hash of the first `length` bytes of a file, to go on with behind them. @throws an error when the file is shorter */
export async function hashOfFile(algorithm: HashAlgorithm, file: FileHandle, length: number): Promise<ImageHasher> {
  const hasher = createFastHash(algorithm);
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  for (let offset = 0; offset < length;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK_BYTES, length - offset), offset);
    if (bytesRead === 0) {
      throw new Error(`the file ends after ${offset} of ${length} bytes`);
    }
    hasher.update(buffer.subarray(0, bytesRead));
    offset += bytesRead;
  }
  return hasher;
}
