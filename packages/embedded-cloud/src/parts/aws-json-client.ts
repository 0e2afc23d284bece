import { once } from "node:events";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import type { JsonObject } from "../json.ts";

const UNSIGNED_CREDENTIAL =
  "AWS4-HMAC-SHA256 Credential=local/20000101/us-east-1/local/aws4_request, SignedHeaders=host, Signature=0";

/** One call in AWS's JSON protocol to a part that checks no signature: deployment does not need to load an SDK for it. */
export async function callAwsJson(
  endpoint: string,
  target: string,
  body: JsonObject,
): Promise<{ status: number; body: JsonObject }> {
  const outgoing = request(endpoint, {
    method: "POST",
    agent: false,
    headers: {
      "Content-Type": "application/x-amz-json-1.0",
      "X-Amz-Target": target,
      "X-Amz-Date": "20000101T000000Z",
      Authorization: UNSIGNED_CREDENTIAL,
    },
  });
  outgoing.end(JSON.stringify(body));
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: JSON.parse((await text(response)) || "{}") as JsonObject };
}
