import { v5 as nameBasedUuid } from "uuid";
import type { VolumeRecord } from "../../records.ts";
import { ApiError, badRequest } from "../errors.ts";
import { isObject } from "../validation.ts";

/**
 * The header Idempotency-Key of a create: the id of the volume follows from the project and the key, so a repeated request finds the volume
 * of the first one. A key names one volume: after its deletion, a request with the key is refused for 91 days.
 */

const KEY_NAMESPACE = "0b7a2f0e-4f0a-5c55-9f43-5f2a7a6d1d11";
const DIGEST_NAMESPACE = "7f3b8a52-95f7-5b0e-8f0f-3a1d0f5f6c22";

/** Visible ASCII, as in a client's token. */
const KEY = /^[\x21-\x7e]{1,255}$/;

/** Id of the volume that a project makes with a key. @throws ApiError 400 for a key that is not 1 to 255 visible ASCII characters */
export function idOfKey(projectId: string, key: string): string {
  if (!KEY.test(key)) {
    throw badRequest("Idempotency-Key must be 1 to 255 visible ASCII characters.");
  }
  return nameBasedUuid(`${projectId}/${key}`, KEY_NAMESPACE);
}

/** A hash of a request, in a few characters: the same for the same body, in any order of its fields. */
export function requestDigest(body: unknown): string {
  return nameBasedUuid(JSON.stringify(sorted(body)), DIGEST_NAMESPACE);
}

/** @throws ApiError 422 when the volume was made by a request with another body */
export function requireSameRequest({ id, request_digest: first }: VolumeRecord, digest: string | undefined): void {
  if (first !== digest) {
    throw new ApiError(422, `Idempotency-Key was used for volume ${id} with another request.`);
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  if (!isObject(value)) {
    return value;
  }
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}
