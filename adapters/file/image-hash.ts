import { createHash as createNodeHash } from "node:crypto";
import { createMD5, createSHA256, createSHA512, type IHasher } from "hash-wasm";
import type { HashAlgorithm } from "../../core/images/acceptance.ts";

/** A hash of an image's bytes in their order. */
export type ImageHasher = {
  update(bytes: Uint8Array): void;
  /** In hexadecimal; ends the hash. */
  digest(): string;
  /** State for continuing after an interruption; undefined when the bytes have to be read again. */
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
