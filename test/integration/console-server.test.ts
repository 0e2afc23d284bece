import { request } from "node:http";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { pageFiles } from "../../cli/console/page-files.ts";
import { makeRoutes, type Routes } from "../../cli/console/routes.ts";
import { type ConsoleServer, startConsoleServer } from "../../cli/console/server.ts";
import { TOKEN_HEADER } from "../../cli/console/wire.ts";
import type { Connection } from "../../cli/connection.ts";
import { InvalidVolume, VolumeNotFound } from "../../core/errors.ts";
import { NOW, runCli, volume, VOLUME_ID } from "../support/cli-context.ts";

/** The console's server on a socket, with deployments that are made for each test. */

const TOKEN = "0123456789abcdefghijklmnopqrstuv";
const LETTER_ID = "99999999-9999-4999-8999-999999999999";

let server: ConsoleServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

const FILES = new Map([["/", { type: "text/html; charset=utf-8", content: "<!doctype html>" }]]);

async function start(routes: Routes): Promise<void> {
  server = await startConsoleServer({ port: 0, token: TOKEN, files: FILES, routes });
}

/** A deployment of these parts; another part must not be asked for. */
function startOn(parts: Partial<Record<keyof Connection, object>>): Promise<void> {
  const connection = new Proxy({} as Connection, {
    get: (_, name: keyof Connection) => async () => {
      const part = parts[name];
      if (part === undefined) {
        throw new Error(`${name} was asked for`);
      }
      return part;
    },
  });
  const errors = { meanings: new Map(), consequences: new Map() };
  return start(makeRoutes({ connection, clock: { now: () => NOW } }, { errors, runbook: new Map() }).routes);
}

type Answered = { status: number | undefined; headers: Record<string, unknown>; body: string };

function ask(
  path: string,
  method = "GET",
  headers: Record<string, string> = { [TOKEN_HEADER]: TOKEN },
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port: server?.port, path, method, headers }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    sent.on("error", reject).end();
  });
}

const NO_ROUTES: Routes = async () => undefined;

describe("the server", () => {
  test("gives out the page to everybody, with a policy that lets it load nothing from elsewhere", async () => {
    await start(NO_ROUTES);
    const { status, headers, body } = await ask("/", "GET", {});
    expect([status, body]).toEqual([200, "<!doctype html>"]);
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  });

  test("answers nothing else without the token, and asks no deployment", async () => {
    await start(() => Promise.reject(new Error("was asked")));
    const { status, body } = await ask("/api/volumes", "GET", {});
    expect(status).toBe(401);
    expect(JSON.parse(body).error.message).toContain("open the address that the command printed");
  });

  test.each([
    ["another Host", { host: "evil.example", [TOKEN_HEADER]: TOKEN }],
    ["another Origin", { origin: "https://evil.example", [TOKEN_HEADER]: TOKEN }],
  ])("refuses %s, though it has the token", async (_, headers) => {
    await start(() => Promise.reject(new Error("was asked")));
    expect((await ask("/api/volumes", "POST", headers)).status).toBe(403);
  });

  test("grants no other page anything when its browser asks first", async () => {
    await start(NO_ROUTES);
    const { status, headers } = await ask("/api/volumes", "OPTIONS", {
      origin: "https://evil.example",
      "access-control-request-headers": TOKEN_HEADER,
    });
    expect(status).toBe(403);
    expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  test.each(["//", "/../package.json", "/main.js/..%2f..%2fpackage.json", "/__proto__"])(
    "has no page %s",
    async (path) => {
      await start(NO_ROUTES);
      expect((await ask(path)).status).toBe(404);
    },
  );

  test("says that nothing has changed to who has the answer already", async () => {
    await start(async () => ({ body: { rows: [] }, version: "7" }));
    const { headers } = await ask("/api/volumes");
    const again = await ask("/api/volumes", "GET", { [TOKEN_HEADER]: TOKEN, "if-none-match": String(headers["etag"]) });
    expect([again.status, again.body]).toEqual([304, ""]);
  });

  test("reports the problem in one line when a store is down, and continues", async () => {
    let isDown = true;
    await start(async () => {
      if (isDown) {
        throw Object.assign(new Error("x"), { code: "ECONNREFUSED", address: "127.0.0.1", port: 1 });
      }
      return { body: "up" };
    });
    const down = await ask("/api/backends");
    expect(down.status).toBe(503);
    expect(JSON.parse(down.body).error).toEqual({
      name: "ConnectionError",
      message: "the connection to 127.0.0.1:1 is refused",
      hint: "is the embedded cloud running? Start it with: npm start",
    });
    isDown = false;
    expect((await ask("/api/backends")).body).toBe('"up"');
  });
});

describe("the interface", () => {
  test("shows a volume with what belongs to it", async () => {
    await startOn({
      volumes: { get: async () => volume({ status: "available" }) },
      snapshots: { listOfVolume: async () => [] },
      locks: { of: async () => ({ items: [] }) },
    });
    const { status, body } = await ask(`/api/volumes/${VOLUME_ID}`);
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      volume: { id: VOLUME_ID },
      may_delete: true,
      may_retry: false,
      error: null,
      reset_to: "error",
    });
  });

  test("asks the driver how a host reaches a volume, and shows the commands", async () => {
    const data = { export: "nas:/vol", name: "a, b/it's", format: "raw", access_mode: "rw" };
    await startOn({
      volumes: { get: async () => volume({ status: "available", launched_at: NOW.toISOString(), host: "a@b#c" }) },
      driverFunctions: { initializeConnection: async () => ({ driver_volume_type: "nfs", data }) },
      consumersAccessPoint: {},
    });
    const { body } = await ask(`/api/volumes/${VOLUME_ID}/connection`);
    expect(JSON.parse(body)).toMatchObject({ path: "/mnt/cinderless/a, b/it's" });
    expect(JSON.parse(body).commands.map(({ command }: { command: string }) => command)).toEqual([
      expect.stringContaining("mount -t nfs nas:/vol /mnt/cinderless"),
      expect.stringContaining(`file=/mnt/cinderless/a,, b/it'\\''s,format=raw`),
    ]);
  });

  test("says of a volume that is on no backend that no host can reach it", async () => {
    await startOn({ volumes: { get: async () => volume({ status: "error", launched_at: null, host: null }) } });
    const { status, body } = await ask(`/api/volumes/${VOLUME_ID}/connection`);
    expect([status, JSON.parse(body).error.message]).toEqual([502, expect.stringContaining("on no backend")]);
  });

  test("sets a status by an operator's word, and no other than available and error", async () => {
    const set: unknown[] = [];
    const volumes = {
      get: async () => volume({ status: "error" }),
      resetStatus: async (id: string, status: string) => (set.push([id, status]), volume({ status: "available" })),
    };
    await startOn({ volumes, snapshots: {}, backends: {}, locks: {} });
    expect((await ask(`/api/volumes/${VOLUME_ID}/reset-to-available`, "POST")).status).toBe(200);
    expect((await ask(`/api/volumes/${VOLUME_ID}/reset-to-creating`, "POST")).status).toBe(404);
    expect(set).toEqual([[VOLUME_ID, "available"]]);
  });

  test("answers 404 for a missing volume, and for an invalid id", async () => {
    await startOn({ volumes: { get: () => Promise.reject(new VolumeNotFound(VOLUME_ID)) } });
    expect((await ask(`/api/volumes/${VOLUME_ID}`)).status).toBe(404);
    expect((await ask("/api/volumes/no-id")).status).toBe(404);
    expect((await ask(`/api/volumes/${VOLUME_ID}/explode`, "POST")).status).toBe(404);
  });

  test("deletes by POST alone, and says why a volume is not deleted", async () => {
    const deleted: string[] = [];
    const deleteVolume = async (id: string) => {
      deleted.push(id);
      throw new InvalidVolume(`volume ${id} is in-use`);
    };
    await startOn({ driverFunctions: { deleteVolume } });
    expect((await ask(`/api/volumes/${VOLUME_ID}/delete`, "GET")).status).toBe(404);
    expect(deleted).toEqual([]);
    const refused = await ask(`/api/volumes/${VOLUME_ID}/delete`, "POST");
    expect(refused.status).toBe(409);
    expect(JSON.parse(refused.body).error.message).toContain("is in-use");
    expect(deleted).toEqual([VOLUME_ID]);
  });

  test("shows no execution of another volume", async () => {
    await startOn({ executions: { history: async () => [] } });
    const other = "22222222-2222-4222-8222-222222222222";
    expect((await ask(`/api/volumes/${VOLUME_ID}/executions/${other}-a1`)).status).toBe(400);
    expect((await ask(`/api/volumes/${VOLUME_ID}/executions/${VOLUME_ID}-a1`)).status).toBe(200);
  });

  test("discards a dead letter that is there", async () => {
    const discarded: string[] = [];
    const letters = new Map([[LETTER_ID, { id: LETTER_ID }]]);
    await startOn({
      deadLetters: { get: async (id: string) => letters.get(id), discard: async (id: string) => discarded.push(id) },
    });
    expect((await ask(`/api/dead-letters/${LETTER_ID}/discard`, "POST")).status).toBe(200);
    expect((await ask(`/api/dead-letters/${VOLUME_ID}/discard`, "POST")).status).toBe(404);
    expect(discarded).toEqual([LETTER_ID]);
  });

  test("runs one audit at a time, without reaping, and keeps what came of it", async () => {
    const asked: object[] = [];
    const { promise, resolve } = Promise.withResolvers<object>();
    const auditBackends = (request: object) => {
      asked.push(request);
      return promise;
    };
    await startOn({ driverFunctions: { auditBackends }, audits: { last: async () => undefined } });
    await ask("/api/audit", "POST");
    expect(JSON.parse((await ask("/api/audit", "POST")).body)).toMatchObject({ running_since: NOW.toISOString() });
    expect(asked).toEqual([{ reap: false }]);
    resolve({ audited_at: NOW.toISOString(), hosts: { "h@b": {} }, findings: [], unaudited: [], not_listed: 0 });
    await expect.poll(async () => (await ask("/api/audit")).body).toContain('"backends":1');
  });

  test("shows the kept audit, and a later one of its own in its place", async () => {
    const kept = { audited_at: "2026-01-01T00:00:00.000Z", findings: [{ id: "lost" }] };
    const own = { audited_at: "2026-01-02T00:00:00.000Z", hosts: {}, findings: [], unaudited: [], not_listed: 0 };
    await startOn({
      audits: { last: async () => kept },
      driverFunctions: { auditBackends: async () => own },
    });
    expect(JSON.parse((await ask("/api/audit")).body)).toEqual({ running_since: null, report: kept, failure: null });
    await ask("/api/audit", "POST");
    await expect.poll(async () => (await ask("/api/audit")).body).toContain(own.audited_at);
  });

  test("reports that the kept audit cannot be read, and can still run one", async () => {
    const own = { audited_at: "2026-01-02T00:00:00.000Z", hosts: {}, findings: [], unaudited: [], not_listed: 0 };
    await startOn({
      audits: { last: () => Promise.reject(new Error("no such table")) },
      driverFunctions: { auditBackends: async () => own },
    });
    expect(JSON.parse((await ask("/api/audit")).body)).toMatchObject({ failure: { message: "no such table" } });
    await ask("/api/audit", "POST");
    await expect.poll(async () => (await ask("/api/audit")).body).toContain(own.audited_at);
  });
});

describe("the command", () => {
  test("prints an address with a token of its own, and ends without an error at Ctrl-C", async () => {
    const addresses: string[] = [];
    for (const _ of [1, 2]) {
      const { status, stdout, closed } = await runCli(["console", "--no-open"], {}, { interrupted: true });
      expect([status, closed]).toEqual([0, 1]);
      addresses.push(stdout.split("\n")[0] ?? "");
    }
    expect(addresses[0]).toMatch(/^The console is at http:\/\/127\.0\.0\.1:\d+\/#token=[\w-]{32}$/);
    expect(addresses[0]?.split("#")[1]).not.toBe(addresses[1]?.split("#")[1]);
  });

  test("gives the address as a document with --json, and opens no browser where no terminal is", async () => {
    const { stdout } = await runCli(["console", "--json"], {}, { interrupted: true });
    expect(JSON.parse(stdout)).toEqual({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:/) });
  });

  test("names the port that is in use, and what to do", async () => {
    await start(NO_ROUTES);
    const { status, stderr } = await runCli(["console", "--no-open", "--port", String(server?.port)]);
    expect(status).toBe(1);
    expect(stderr).toContain(`port ${server?.port} is in use`);
    expect(stderr).toContain("name another port with --port");
  });

  test.each(["x", "-1", "65536", "1.5"])("refuses the port %s", async (port) => {
    const { status, stderr } = await runCli(["console", `--port=${port}`]);
    expect(status).toBe(2);
    expect(stderr).toContain("a whole number from 0 to 65535");
  });
});

test("the page is below 300 kB in all, and names no other server", async () => {
  const files = await pageFiles();
  expect([...files.keys()].toSorted()).toEqual(["/", "/create-volume.svg", "/main.js", "/style.css"]);
  const sizes = [...files.values()].map(({ content }) => Buffer.byteLength(content));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(300_000);
  expect(gzipSync(files.get("/main.js")?.content ?? "").length).toBeLessThan(40_000);
  for (const { content } of files.values()) {
    expect(Buffer.from(content).toString()).not.toMatch(/https?:\/\/(?!www\.w3\.org\/)/);
  }
});
