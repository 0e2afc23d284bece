import { once } from "node:events";
import { createServer, request, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { guardServer, refusalOf } from "../../src/request-guard.ts";

const HOST = "127.0.0.1:4580";
const TOKEN = "e4f1c9";

/** Whether a request with these headers is let through. */
function passes(headers: Record<string, string | undefined>, pageToken?: string, method = "POST", url = "/"): boolean {
  const options = pageToken === undefined ? {} : { pageToken };
  return refusalOf({ method, headers: { host: HOST, ...headers }, url }, options) === undefined;
}

describe("the guard of a server on the loopback interface", () => {
  it.each(["127.0.0.1", "127.0.0.1:4580", "localhost:4580", "LOCALHOST", "[::1]:4580"])("serves Host %s", (host) => {
    expect(passes({ host })).toBe(true);
  });

  it.each([
    "evil.example",
    "evil.example:4580",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost:4580@evil.example",
    "bucket.localhost",
    "0.0.0.0:4580",
    "127.0.0.2",
    "192.168.0.1",
    "[::]",
    "",
    " 127.0.0.1",
  ])("refuses Host '%s'", (host) => {
    expect(passes({ host })).toBe(false);
  });

  it("refuses a request without Host", () => {
    expect(passes({ host: undefined })).toBe(false);
  });

  it.each([
    { origin: "http://evil.example" },
    { origin: "null" },
    { origin: "http://127.0.0.1:4580" },
    { origin: "" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "same-origin" },
    { "sec-fetch-site": "none" },
  ])("refuses what a browser sends: %j", (headers) => {
    expect(passes(headers)).toBe(false);
    expect(passes(headers, undefined, "GET")).toBe(false);
  });

  it("refuses OPTIONS from every client", () => {
    expect(passes({}, undefined, "OPTIONS")).toBe(false);
    expect(passes({ origin: `http://${HOST}`, "x-local-token": TOKEN }, TOKEN, "OPTIONS")).toBe(false);
  });

  it("serves a page of its own that has the token, in a header or in the address of its first request", () => {
    const own = { origin: `http://${HOST}`, "sec-fetch-site": "same-origin" };
    expect(passes({ ...own, "x-local-token": TOKEN }, TOKEN)).toBe(true);
    expect(passes({ "sec-fetch-site": "none" }, TOKEN, "GET", `/?token=${TOKEN}`)).toBe(true);
  });

  it.each([
    [{ "sec-fetch-site": "same-origin" }, "/"],
    [{ "sec-fetch-site": "same-origin", "x-local-token": "wrong!" }, "/"],
    [{ "sec-fetch-site": "same-origin", "x-local-token": "" }, "/?token="],
    [{ "sec-fetch-site": "cross-site", "x-local-token": TOKEN }, "/"],
    [{ origin: "http://evil.example", "x-local-token": TOKEN }, "/"],
    [{ origin: "http://127.0.0.1:9999", "x-local-token": TOKEN }, "/"],
    [{ origin: `http://${HOST}`, "sec-fetch-site": "same-site", "x-local-token": TOKEN }, "/"],
  ])("refuses a page of another site, or one without the token: %j", (headers, url) => {
    expect(passes(headers, TOKEN, "POST", url)).toBe(false);
  });
});

describe("a guarded server", () => {
  const served: string[] = [];
  const server = createServer((_request, response) => {
    served.push("handler");
    response.end("served");
  });
  let port = 0;

  beforeAll(async () => {
    guardServer(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ({ port } = server.address() as AddressInfo);
  });

  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  async function send(headers: OutgoingHttpHeaders): Promise<IncomingMessage> {
    const outgoing = request({ host: "127.0.0.1", port, method: "POST", headers, agent: false });
    outgoing.end("body");
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    response.resume();
    return response;
  }

  it("answers 403 without a CORS header, and its handler never hears of the request", async () => {
    for (const headers of [{ origin: "http://evil.example" }, { host: "evil.example" }, { expect: "x", origin: "x" }]) {
      const { statusCode, headers: answered } = await send(headers);
      expect(statusCode === 403 || statusCode === 417).toBe(true);
      expect(Object.keys(answered).filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
    expect(served).toEqual([]);
    expect((await send({})).statusCode).toBe(200);
    expect(served).toEqual(["handler"]);
  });
});
