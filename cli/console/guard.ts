import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TOKEN_HEADER } from "./wire.ts";

/** Access to the console's server: programs of this machine find it too, and every web page in a browser can send requests to it. */

/** The refusal of a request: the HTTP status, and a line for people. */
export type Refusal = { status: 401 | 403; message: string };

type GuardedRequest = Pick<IncomingMessage, "headers" | "url">;

/**
 * Why a request is not answered; undefined when it is. The page itself holds no data and needs no token, so only a foreign name of the
 * server is refused there (DNS rebinding). Everything under `/api/` needs the token in a header, which no other site's page can send
 * without being asked first, and no question of that kind (CORS) is answered.
 *
 * @param port on which the server listens
 */
export function refusalOf({ headers, url = "/" }: GuardedRequest, port: number, token: string): Refusal | undefined {
  const host = headers.host?.toLowerCase() ?? "";
  if (!["127.0.0.1", "localhost", "[::1]"].some((name) => host === `${name}:${port}`)) {
    return { status: 403, message: `Host must be 127.0.0.1:${port} or localhost:${port}` };
  }
  if (!url.startsWith("/api/")) {
    return undefined;
  }
  if (headers.origin !== undefined && headers.origin.toLowerCase() !== `http://${host}`) {
    return { status: 403, message: "requests of other pages are refused" };
  }
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin") {
    return { status: 403, message: "requests of other pages are refused" };
  }
  return isSame(headers[TOKEN_HEADER], token)
    ? undefined
    : { status: 401, message: "the token is missing or of another session: open the address that the command printed" };
}

function isSame(given: string | string[] | undefined, token: string): boolean {
  const [left, right] = [Buffer.from(String(given ?? "")), Buffer.from(token)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Headers of every answer: nothing is loaded from elsewhere, framed, kept, or taken for another type than it is. */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-store",
};
