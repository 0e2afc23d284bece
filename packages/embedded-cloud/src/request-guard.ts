import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";

/** Clients that the guard lets through in addition to the programs of this machine. */
export interface GuardOptions {
  /**
   * Lets in a page of this server itself, which is otherwise refused like every page: its requests have this token in the header
   * `x-local-token`, and its first one, which cannot set a header, in the query parameter `token`. A page of another site is refused with
   * the token, too. Use at least 128 random bits.
   */
  readonly pageToken?: string;
}

/** The names by which a program on this machine reaches a server on the loopback interface, with or without a port. */
const LOCAL_HOST = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i;

/** Values for requests that the user or the server's own page caused; a foreign page has `cross-site` or `same-site`. */
const OWN_FETCH_SITES: ReadonlySet<string> = new Set(["none", "same-origin"]);

/**
 * The reason why a server on the loopback interface must refuse a request; `undefined` when it may answer. Every web page in a browser on
 * this machine can send requests to such a server (Vite, CVE-2025-24010), so three kinds are refused:
 *
 * - a foreign `Host`: a name that an attacker's DNS points at 127.0.0.1 (DNS rebinding);
 * - `Origin` or `Sec-Fetch-Site`: browsers send them, SDKs and the AWS CLI do not (Fetch Metadata Request Headers, W3C);
 * - OPTIONS: the question of a browser whether a page may send more. There is nothing to grant.
 */
export function refusalOf(
  request: Pick<IncomingMessage, "method" | "headers" | "url">,
  { pageToken }: GuardOptions = {},
): string | undefined {
  const { host, origin, "sec-fetch-site": fetchSite } = request.headers;
  if (host === undefined || !LOCAL_HOST.test(host)) {
    return `Host must be 127.0.0.1, localhost or [::1], not ${JSON.stringify(host ?? "")}`;
  }
  if (request.method === "OPTIONS") return "OPTIONS is not answered: no web page may use this server";
  if (origin === undefined && fetchSite === undefined) return undefined;
  if (pageToken !== undefined && isOwnPage(host, origin, fetchSite) && hasToken(request, pageToken)) return undefined;
  return "requests of web pages are refused";
}

function isOwnPage(host: string, origin: string | undefined, fetchSite: string | string[] | undefined): boolean {
  const isOwnSite = fetchSite === undefined || (typeof fetchSite === "string" && OWN_FETCH_SITES.has(fetchSite));
  return isOwnSite && (origin === undefined || origin.toLowerCase() === `http://${host.toLowerCase()}`);
}

function hasToken({ headers, url = "/" }: Pick<IncomingMessage, "headers" | "url">, pageToken: string): boolean {
  const given = headers["x-local-token"] ?? new URLSearchParams(url.split("?")[1]).get("token");
  const [left, right] = [Buffer.from(String(given ?? "")), Buffer.from(pageToken)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/**
 * Puts the guard in front of all of a server's handlers, whatever software they belong to. Call it before the server listens. Refused
 * requests get 403 and never reach the server's own handlers.
 */
export function guardServer(server: Server, options: GuardOptions = {}): void {
  for (const event of ["request", "checkContinue", "checkExpectation"] as const) {
    const handlers = server.listeners(event) as ((request: IncomingMessage, response: ServerResponse) => void)[];
    if (handlers.length === 0) continue;
    server.removeAllListeners(event);
    server.on(event, (request: IncomingMessage, response: ServerResponse) => {
      const refusal = refusalOf(request, options);
      if (refusal === undefined) for (const handler of handlers) handler.call(server, request, response);
      else refuse(response, refusal);
    });
  }
}

function refuse(response: ServerResponse, refusal: string): void {
  const body = JSON.stringify({ __type: "AccessDeniedException", message: `The embedded cloud: ${refusal}` });
  response.writeHead(403, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
    // The rest of the request is not read.
    Connection: "close",
  });
  response.end(body);
}
