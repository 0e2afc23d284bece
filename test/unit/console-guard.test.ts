import { describe, expect, test } from "vitest";
import { refusalOf, SAFE_HEADERS } from "../../cli/console/guard.ts";
import { TOKEN_HEADER } from "../../cli/console/wire.ts";

const PORT = 8800;
const TOKEN = "b2k7w1-8fXk0tqv";

function refusal(url: string, headers: Record<string, string>) {
  return refusalOf({ url, headers: { host: `127.0.0.1:${PORT}`, ...headers } }, PORT, TOKEN)?.status;
}

describe("who may use the console", () => {
  test.each([`127.0.0.1:${PORT}`, `localhost:${PORT}`, `[::1]:${PORT}`, `LOCALHOST:${PORT}`])(
    "the server goes by the name %s",
    (host) => {
      expect(refusal("/", { host })).toBeUndefined();
      expect(refusal("/api/volumes", { host, [TOKEN_HEADER]: TOKEN })).toBeUndefined();
    },
  );

  test.each([
    "evil.example",
    `evil.example:${PORT}`,
    "127.0.0.1",
    `127.0.0.1:${PORT + 1}`,
    `127.0.0.1.evil.example:${PORT}`,
    `localhost:${PORT}@evil.example`,
    "",
  ])("the Host '%s' is refused, for the page as well", (host) => {
    expect(refusal("/", { host })).toBe(403);
    expect(refusal("/api/volumes", { host, [TOKEN_HEADER]: TOKEN })).toBe(403);
  });

  test("the page needs no token: it holds no data", () => {
    expect(refusal("/", {})).toBeUndefined();
    expect(refusal("/main.js", { "sec-fetch-site": "same-origin" })).toBeUndefined();
  });

  test.each(["", "x", `${TOKEN}x`, TOKEN.slice(1), TOKEN.toUpperCase()])("the token '%s' is refused", (token) => {
    expect(refusal("/api/volumes", { [TOKEN_HEADER]: token })).toBe(401);
  });

  test("a token in the address or in a cookie does not count", () => {
    expect(refusal(`/api/volumes?token=${TOKEN}`, { cookie: `${TOKEN_HEADER}=${TOKEN}` })).toBe(401);
  });

  test.each([
    "https://evil.example",
    "null",
    `http://127.0.0.1:${PORT + 1}`,
    `https://127.0.0.1:${PORT}`,
    `http://localhost:${PORT}`,
  ])("the page of %s is refused, with the token too", (origin) => {
    expect(refusal("/api/volumes", { origin, [TOKEN_HEADER]: TOKEN })).toBe(403);
  });

  test("its own page is let in", () => {
    const own = { origin: `http://127.0.0.1:${PORT}`, "sec-fetch-site": "same-origin", [TOKEN_HEADER]: TOKEN };
    expect(refusal("/api/volumes", own)).toBeUndefined();
  });

  test.each(["cross-site", "same-site", "none"])("a request from %s is refused, with the token too", (site) => {
    expect(refusal("/api/volumes", { "sec-fetch-site": site, [TOKEN_HEADER]: TOKEN })).toBe(403);
  });

  test("the page may not load from other hosts, run inline code, or be framed", () => {
    const policy = SAFE_HEADERS["Content-Security-Policy"];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  });
});
