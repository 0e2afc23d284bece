import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KeystoneAuthenticator } from "../../adapters/keystone/authenticator.ts";

const START = Date.parse("2026-01-01T00:00:00.000Z");
const GET = { method: "GET", path: "/v3/abc/volumes" };

let server: Server;
let now: number;
let requests: IncomingMessage[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let keystone: KeystoneAuthenticator;

const token = (changes: Record<string, unknown> = {}) => ({
  token: {
    methods: ["password"],
    user: { id: "alice", name: "alice", domain: { id: "default", name: "Default" } },
    expires_at: new Date(START + 3_600_000).toISOString().replace(".000Z", ".000000Z"),
    project: { id: "abc", name: "demo" },
    roles: [{ name: "reader" }, { name: "member" }],
    ...changes,
  },
});

const answerWith = (status: number, body: unknown) => {
  answer = (_request, response) => {
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(JSON.stringify(body));
  };
};

beforeEach(async () => {
  now = START;
  requests = [];
  server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  keystone = new KeystoneAuthenticator({
    authUrl: `http://127.0.0.1:${port}/v3/`,
    publicUrl: "https://keystone.example/v3",
    clock: { now: () => new Date(now) },
    answerMs: 1_000,
    keptTokens: 3,
  });
  answerWith(200, token());
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
});

describe("a token", () => {
  it("validates itself, without the catalog, and asks for its access rules", async () => {
    expect(await keystone.authenticate("t1", GET)).toEqual({
      userId: "alice",
      projectId: "abc",
      roles: ["reader", "member"],
      isAdmin: false,
    });
    expect(requests[0]?.url).toBe("/v3/auth/tokens?nocatalog");
    expect(requests[0]?.headers).toMatchObject({
      "x-auth-token": "t1",
      "x-subject-token": "t1",
      "openstack-identity-access-rules": "1.0",
    });
  });

  it("is asked about once a minute, and each token by itself", async () => {
    await keystone.authenticate("t1", GET);
    now += 59_000;
    await keystone.authenticate("t1", GET);
    await keystone.authenticate("t2", GET);
    expect(requests).toHaveLength(2);
    now += 2_000;
    await keystone.authenticate("t1", GET);
    expect(requests).toHaveLength(3);
  });

  it("is asked about once by many requests at once", async () => {
    await Promise.all(Array.from({ length: 5 }, () => keystone.authenticate("t1", GET)));
    expect(requests).toHaveLength(1);
  });

  it("counts no longer than it is valid", async () => {
    answerWith(200, token({ expires_at: new Date(START + 10_000).toISOString() }));
    expect(await keystone.authenticate("t1", GET)).toBeDefined();
    now += 11_000;
    expect(await keystone.authenticate("t1", GET)).toBeUndefined();
  });

  it("with the role admin, in any spelling, is an administrator's", async () => {
    answerWith(200, token({ roles: [{ name: "Admin" }] }));
    expect(await keystone.authenticate("t1", GET)).toMatchObject({ isAdmin: true });
  });

  it.each([401, 403, 404])(
    "that Keystone answers with %i is invalid, and is not asked about again at once",
    async (status) => {
      answerWith(status, { error: { code: status } });
      expect(await keystone.authenticate("t1", GET)).toBeUndefined();
      expect(await keystone.authenticate("t1", GET)).toBeUndefined();
      expect(requests).toHaveLength(1);
    },
  );

  it.each([undefined, "", "two words", "line\nbreak", "ü", "x".repeat(9000)])(
    "that cannot be one is not asked about",
    async (text) => {
      expect(await keystone.authenticate(text, GET)).toBeUndefined();
      expect(requests).toEqual([]);
    },
  );

  it("without a project is refused by 403", async () => {
    answerWith(200, token({ project: undefined }));
    await expect(keystone.authenticate("t1", GET)).rejects.toMatchObject({ status: 403 });
  });
});

describe("a token with access rules", () => {
  const withRules = (...rules: unknown[]) =>
    answerWith(200, token({ application_credential: { access_rules: rules } }));

  it.each([
    [{ service: "block-storage", method: "GET", path: "/v3/*/volumes" }, true],
    [{ service: "volumev3", method: "GET", path: "/v3/{project_id}/volumes" }, true],
    [{ service: "block-storage", method: "GET", path: "/v3/**" }, true],
    [{ service: "block-storage", method: "POST", path: "/v3/**" }, false],
    [{ service: "compute", method: "GET", path: "/v3/**" }, false],
    [{ service: "block-storage", method: "GET", path: "/v3/*" }, false],
    [{ service: "block-storage", method: "GET", path: "/v3/abc/volume." }, false],
  ])("%j allows the request: %s", async (rule, allowed) => {
    withRules(rule);
    expect((await keystone.authenticate("t1", GET)) !== undefined).toBe(allowed);
  });

  it("without any rule allows nothing", async () => {
    withRules();
    expect(await keystone.authenticate("t1", GET)).toBeUndefined();
  });
});

describe("a Keystone that does not answer", () => {
  it.each<[string, () => void]>([
    ["is silent", () => (answer = () => {})],
    ["answers 500", () => answerWith(500, {})],
    ["answers with something else", () => answerWith(200, { hello: "world" })],
    ["breaks off", () => (answer = (_request, response) => void response.socket?.destroy())],
    ["sends no JSON", () => (answer = (_request, response) => void response.end("<html>"))],
  ])("%s: the request is a 503, and the next one asks again", async (_what, misbehave) => {
    misbehave();
    await expect(keystone.authenticate("t1", GET)).rejects.toMatchObject({ status: 503 });
    answerWith(200, token());
    expect(await keystone.authenticate("t1", GET)).toBeDefined();
  });
});

it("remembers a bounded number of tokens, and forgets the one that was asked about first", async () => {
  for (const each of ["t0", "t1", "t2", "t3", "t3"]) {
    await keystone.authenticate(each, GET);
  }
  expect(requests).toHaveLength(4);
  await keystone.authenticate("t0", GET);
  expect(requests).toHaveLength(5);
});

it("names the address for clients in its challenge", () => {
  expect(keystone.challenge).toBe('Keystone uri="https://keystone.example/v3"');
});
