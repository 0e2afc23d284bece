import { type IHasher, createMD5, createSHA256, createSHA512 } from "hash-wasm";
import type { HashAlgorithm } from "../../core/images/acceptance.ts";

/** A hash that can be interrupted: unlike that of node:crypto, its state can be kept. */
export async function createHash(algorithm: HashAlgorithm, state?: string): Promise<IHasher> {
  const hasher = await { sha512: createSHA512, sha256: createSHA256, md5: createMD5 }[algorithm]();
  return state === undefined ? hasher.init() : hasher.load(Buffer.from(state, "base64"));
}

/** The state, to be handed to {@link createHash}: at most 300 characters. */
export function stateOf(hasher: IHasher): string {
  return Buffer.from(hasher.save()).toString("base64");
}
