import { v5 as nameBasedUuid } from "uuid";
import type { CreateRequestInput } from "../core/requests/create-request.ts";

/**
 * `--client-token`: the volume's id follows from its project and the token, so a repeated create finds the volume of the first one. A token
 * is valid as long as its volume exists. The namespaces are those of the Block Storage API's Idempotency-Key: one token means one volume,
 * on either interface.
 */

const TOKEN_NAMESPACE = "0b7a2f0e-4f0a-5c55-9f43-5f2a7a6d1d11";
const DIGEST_NAMESPACE = "7f3b8a52-95f7-5b0e-8f0f-3a1d0f5f6c22";

/** Id of the volume that a project creates with a token. */
export function idOfToken(projectId: string, token: string): string {
  return nameBasedUuid(`${projectId}/${token}`, TOKEN_NAMESPACE);
}

/** A hash of the requested volume, in a few characters. */
export function digestOf(input: CreateRequestInput): string {
  const { volumeType, ...others } = input;
  const asked = { ...others, volumeTypeId: volumeType?.id ?? null };
  const entries = Object.entries(asked).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return nameBasedUuid(JSON.stringify(entries), DIGEST_NAMESPACE);
}
