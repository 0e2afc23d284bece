import { request } from "node:http";
import type { JsonObject } from "../json.ts";

const UNSIGNED_CREDENTIAL =
  "AWS4-HMAC-SHA256 Credential=local/20000101/us-east-1/local/aws4_request, SignedHeaders=host, Signature=0";

/** One call in AWS's JSON protocol to a part that checks no signature: deployment does not need to load an SDK for it. */
export function callAwsJson(
  endpoint: string,
  target: string,
  body: JsonObject,
): Promise<{ status: number; body: JsonObject }> {
  return new Promise((resolve, reject) => {
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
    outgoing.once("error", reject);
    outgoing.once("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        try {
          resolve({
            status: response.statusCode ?? 0,
            body: JSON.parse(Buffer.concat(chunks).toString() || "{}") as JsonObject,
          });
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
    outgoing.end(JSON.stringify(body));
  });
}
