import { beforeEach, describe, expect, it, test } from "vitest";
import { MAXIMUM_MICROVERSION } from "../../core/api/microversions.ts";
import { MAX_BODY_BYTES } from "../../core/api/serve.ts";
import { Api, idOf } from "../support/api.ts";
import { World } from "../support/fakes/world.ts";

let api: Api;

beforeEach(() => {
  api = new Api(new World());
});

const bodyOf = (response: { body: unknown }) => response.body as Record<string, { code: number; message: string }>;

describe("the version document", () => {
  it("is answered by 300 without a token, so that clients can ask before they log in", async () => {
    const response = await api.ask("GET //", { token: "" });
    expect(response.status).toBe(300);
    expect(response.body).toMatchObject({
      versions: [{ id: "v3.0", min_version: "3.0", version: `3.${MAXIMUM_MICROVERSION}`, status: "CURRENT" }],
    });
    expect(JSON.stringify(response.body)).toContain('"href":"http://api.example/v3/"');
  });

  it.each(["//v3/", "//v3"])("is answered by 200 below %s with a token", async (path) => {
    expect((await api.ask(`GET ${path}`)).status).toBe(200);
  });

  it("has links with the address and the scheme from the proxies' headers", async () => {
    const headers = { "x-forwarded-proto": "https", "x-forwarded-host": "inner, outer.example" };
    expect(JSON.stringify((await api.ask("GET //", { headers })).body)).toContain("https://outer.example/v3/");
    const strange = { "x-forwarded-proto": "javascript" };
    expect(JSON.stringify((await api.ask("GET //", { headers: strange })).body)).toContain("http://api.example/v3/");
  });
});

describe("a request without a valid token", () => {
  it.each(["", "nonsense"])("is answered by 401 in Keystone's form: %j", async (token) => {
    const response = await api.ask("GET //v3/a1b2/volumes", { token });
    expect(response).toMatchObject({
      status: 401,
      headers: { "WWW-Authenticate": 'Keystone uri="http://keystone/v3"' },
    });
    expect(response.body).toEqual({
      error: { code: 401, title: "Unauthorized", message: "The request you have made requires authentication." },
    });
  });
});

describe("every answer", () => {
  it.each(["GET //", "GET /volumes", "GET /nothing", "GET //healthcheck", "GET /volumes/unknown"])(
    "has a request id: %s",
    async (what) => {
      expect((await api.ask(what)).headers["x-openstack-request-id"]).toBe(`req-${idOf(999)}`);
    },
  );
});

describe("a path", () => {
  it.each(["GET /nothing", "PATCH /volumes", "GET //v2/", "GET //nothing", "GET /", "GET //v3/a1b2", "GET /volumes/"])(
    "that no route has is answered by webob's 404: %s",
    async (what) => {
      const response = await api.ask(what);
      expect(response.status).toBe(404);
      expect(response.body).toMatchObject({ code: "404 Not Found", title: "Not Found" });
    },
  );

  it("of another project is malformed, also for an administrator", async () => {
    for (const token of ["member", "admin"]) {
      const response = await api.ask("GET //v3/beef/volumes", { token });
      expect(response.status).toBe(400);
      expect(response.body).toEqual({ badRequest: { code: 400, message: "Malformed request url" } });
    }
  });

  it("may leave the project out; then links leave it out as well", async () => {
    const created = await api.ask("POST //v3/volumes", { body: { volume: { size: 1 } } });
    expect(created.status).toBe(202);
    expect(JSON.stringify(created.body)).toContain(`http://api.example/v3/volumes/${idOf(1)}`);
  });
});

describe("microversions", () => {
  const max = `3.${MAXIMUM_MICROVERSION}`;

  it.each([
    [undefined, "3.0"],
    ["volume 3.0", "3.0"],
    ["volume 3.1", "3.1"],
    [`volume ${max}`, max],
    ["volume latest", max],
    ["compute 2.1,volume 3.5", "3.5"],
  ])("%j is answered as %s", async (header, shown) => {
    const headers = header === undefined ? {} : { "openstack-api-version": header };
    const response = await api.ask("GET /volumes", { headers });
    expect(response).toMatchObject({
      status: 200,
      headers: { "OpenStack-API-Version": `volume ${shown}`, Vary: "OpenStack-API-Version" },
    });
  });

  it.each(["3.99", "2.1", "4.0"])("%s is not acceptable, and the answer repeats it", async (version) => {
    const response = await api.ask("GET /volumes", { version });
    expect(response.status).toBe(406);
    expect(response.headers["OpenStack-API-Version"]).toBe(`volume ${version}`);
    expect(bodyOf(response)["computeFault"]?.message).toBe(
      `Version ${version} is not supported by the API. Minimum is 3.0 and maximum is ${max}.`,
    );
  });

  it.each(["3", "3.x", "3.05", "", "3.1.1", "-3.1", "３.1"])("%j is malformed", async (version) => {
    const response = await api.ask("GET /volumes", { version });
    expect(response.status).toBe(400);
    expect(bodyOf(response)["badRequest"]?.message).toContain("is of invalid format");
  });

  it("of other services only are refused", async () => {
    expect((await api.ask("GET /volumes", { headers: { "openstack-api-version": "compute 2.1" } })).status).toBe(400);
  });
});

describe("a body", () => {
  const create = (body: unknown, headers?: Record<string, string>) =>
    api.ask("POST /volumes", { body, ...(headers && { headers }) });

  it("of more than 112 KiB is too large, before anybody asks for its token", async () => {
    const response = await api.ask("POST /volumes", { token: "", body: "ü".repeat(MAX_BODY_BYTES / 2 + 1) });
    expect(response.status).toBe(413);
    expect(response.body).toMatchObject({ code: "413 Request Entity Too Large" });
  });

  it.each(["", "{", "nonsense", '{"volume": {"size": 1', "\u0000"])(
    "that is not JSON is malformed: %j",
    async (body) => {
      const response = await create(body);
      expect(response.status).toBe(400);
      expect(response.body).toEqual({ badRequest: { code: 400, message: "Malformed request body" } });
    },
  );

  it("that is nested thousands of levels deep is malformed", async () => {
    expect((await create(`${"[".repeat(20_000)}${"]".repeat(20_000)}`)).status).toBe(400);
  });

  it.each(["text/plain", "application/xml", "*/*"])("of the type %s is not supported", async (type) => {
    expect((await create({ volume: { size: 1 } }, { "content-type": type })).status).toBe(415);
  });

  it.each(["application/json; charset=utf-8", "APPLICATION/JSON"])("of the type %s is read", async (type) => {
    expect((await create({ volume: { size: 1 } }, { "content-type": type })).status).toBe(202);
  });

  it("with keys that an object inherits is refused like any other unknown key", async () => {
    for (const key of ["__proto__", "constructor", "toString"]) {
      const response = await create(`{"volume": {"size": 1}, ${JSON.stringify(key)}: 1}`);
      expect([key, response.status]).toEqual([key, 400]);
    }
  });
});

test("an unforeseen error is a 500 without its reason, which is reported", async () => {
  const world = new World();
  const broken = new Api(world);
  world.faults.fail("projects.list", new Error("the secret reason"));
  const response = await broken.ask("GET /volumes");
  expect(response.status).toBe(500);
  expect(JSON.stringify(response)).not.toContain("secret");
  expect(broken.failures).toEqual([expect.objectContaining({ message: "the secret reason" })]);
});

test("a throttled table is a 503, so that the client tries again", async () => {
  const world = new World();
  const busy = new Api(world);
  world.faults.fail("projects.list", Object.assign(new Error("slow down"), { name: "ThrottlingException" }));
  expect((await busy.ask("GET /volumes")).status).toBe(503);
});

it("answers the version document whatever microversion is asked for, so that a newer client finds out what it may ask for", async () => {
  const api = new Api(new World());
  const response = await api.ask("GET //", { token: "", version: "3.70" });
  expect(response).toMatchObject({ status: 300, headers: { "OpenStack-API-Version": "volume 3.44" } });
});
