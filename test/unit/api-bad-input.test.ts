import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { apiRoutes } from "../../core/api/routes.ts";
import { MAX_BODY_BYTES } from "../../core/api/serve.ts";
import { Api, idOf, messageOf } from "../support/api.ts";
import { World } from "../support/fakes/world.ts";

let world: World;
let api: Api;

beforeEach(() => {
  world = new World();
  world.addBackend("node@first#pool");
  api = new Api(world);
});

const LATEST = "3.44";
const PROTOTYPE_KEYS = ["__proto__", "constructor", "toString", "hasOwnProperty"];

/** Texts that have broken parsers, keys and logs before. */
const hostile = fc.oneof(
  fc.constantFrom(
    ...PROTOTYPE_KEYS,
    "",
    " ",
    "\u0000",
    "\ud800",
    "\u202e",
    "💥".repeat(64),
    "../../etc/passwd",
    "%00",
    "#entry",
    ":fence",
    "a".repeat(256),
    "1e999",
    "-0",
    "NaN",
    "null",
    "${x}",
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
);

const value = fc.oneof(
  hostile,
  fc.constantFrom(null, true, false, 0, -1, 1.5, 1, Number.MAX_SAFE_INTEGER, 1e308),
  fc.array(hostile, { maxLength: 3 }),
  fc.dictionary(hostile, fc.oneof(hostile, fc.integer(), fc.constant(null)), { maxKeys: 3 }),
);

/** Names of fields and actions, so that bodies get past the first check. */
const field = fc.oneof(
  fc.constantFrom(
    "volume",
    "snapshot",
    "attachment",
    "volume_type",
    "quota_set",
    "metadata",
    "meta",
    "extra_specs",
    "size",
    "name",
    "volume_id",
    "volume_uuid",
    "instance_uuid",
    "connector",
    "host",
    "mode",
    "mountpoint",
    "snapshot_id",
    "source_volid",
    "imageRef",
    "volume_type_id",
    "availability_zone",
    "force",
    "description",
    "os-attach",
    "os-detach",
    "os-reserve",
    "os-initialize_connection",
    "os-set_bootable",
    "os-complete",
    "os-force_detach",
    "addProjectAccess",
    "project",
    "scheduler_hints",
    "OS-SCH-HNT:scheduler_hints",
  ),
  hostile,
);

const body = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small", maxDepth: 4 },
    value,
    fc.dictionary(field, tie("node"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).node;

/** Ids as the caller may send them: their own, another project's, none, and no ids. */
const id = fc.oneof(
  fc.constantFrom(idOf(1), idOf(2), idOf(404), "x", "%2e%2e", "%", "%ff", "__proto__"),
  hostile.map(encodeURIComponentSafely),
);

/** Parameters that any route reads, each with any text; the same one may come again. */
const parameter = fc
  .tuple(
    fc.constantFrom(
      "limit",
      "marker",
      "offset",
      "sort",
      "sort_key",
      "sort_dir",
      "name",
      "status",
      "metadata",
      "glance_metadata",
      "bootable",
      "all_tenants",
      "with_count",
      "is_public",
      "usage",
      "detail",
      "resource",
      "host",
      "binary",
      "volume_type",
      "volume_id",
      "project_id",
      "created_at",
      "updated_at",
      "__proto__",
    ),
    hostile,
  )
  .map(([name, text]) => `${name}=${encodeURIComponentSafely(text)}`);

/** Queries that are not well formed, or that no client writes. */
const BROKEN_QUERIES = [
  "%",
  "%zz=1",
  "limit=%ff",
  "limit=1&limit=x",
  "sort=name:asc,",
  "sort=,:",
  "sort=id:asc&sort_key=id",
  "metadata={",
  "metadata={'a':",
  "created_at=gt:",
  "=",
  "&&",
  "limit",
  "marker=%00",
  "name~=%25",
  `name=${"x".repeat(5_000)}`,
];

const headerName = fc.constantFrom(
  "openstack-api-version",
  "content-type",
  "idempotency-key",
  "host",
  "x-forwarded-host",
  "x-forwarded-proto",
  "accept",
  "content-length",
);

const HEADER_VALUES = [
  "volume 3.0",
  "volume 3.",
  "volume 3.99999999999999999999",
  "volume -1.0, compute 2.1",
  "volume latest",
  "compute 2.1",
  "text/plain",
  "application/json; charset=latin1",
  "a, b",
];

function encodeURIComponentSafely(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

describe("whatever a request has in it", () => {
  it("no answer is a 500, none shows a stack trace, and every error names itself", async () => {
    await api.ask("POST /volumes", { body: { volume: { size: 1 } } });
    await api.ask("POST /volumes", { token: "other", body: { volume: { size: 1 } } });
    const routes = apiRoutes(api.deps).filter(({ path }) => path !== "/");
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...routes),
        fc.array(id, { minLength: 3, maxLength: 3 }),
        fc.array(
          fc.tuple(
            fc.constantFrom(
              "limit",
              "marker",
              "sort",
              "offset",
              "name",
              "metadata",
              "usage",
              "all_tenants",
              "volume_id",
              "status",
              "cascade",
              "force",
            ),
            hostile,
          ),
          { maxLength: 3 },
        ),
        body,
        fc.constantFrom("member", "reader", "other", "admin"),
        async (route, ids, query, content, token) => {
          let part = 0;
          const path = route.path.replaceAll(/\{\w+\}/g, () => ids[part++] ?? "x");
          const search = query.map(([name, text]) => `${name}=${encodeURIComponentSafely(text)}`).join("&");
          const project = { member: "a1b2", reader: "a1b2", other: "c3d4", admin: "ad00" }[token];
          const asked = route.withoutProject === true ? `//v3${path}` : `//v3/${project}${path}`;
          const answer = await api.ask(`${route.method} ${asked}?${search}`, {
            token,
            version: LATEST,
            ...(route.takesBody && { body: content === undefined ? {} : content }),
          });
          expect(answer.status).toBeLessThan(500);
          expect(api.failures).toEqual([]);
          const text = JSON.stringify(answer.body);
          expect(text).not.toMatch(/\bat .*\.ts:\d+/);
          if (answer.status >= 400) {
            expect(text).toMatch(/"message":"[^"]/);
            expect(text.length).toBeLessThan(10_000);
          }
        },
      ),
      { numRuns: 400 },
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it("and whatever its query and headers are, no answer is a 500, and each 400 says what is wrong", async () => {
    await api.ask("POST /volumes", { body: { volume: { size: 1 } } });
    const routes = apiRoutes(api.deps).filter(({ method, path }) => method === "GET" && path !== "/");
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...routes),
        fc.array(fc.oneof(parameter, fc.constantFrom(...BROKEN_QUERIES)), { maxLength: 4 }),
        fc.dictionary(headerName, fc.oneof(hostile, fc.constantFrom(...HEADER_VALUES)), { maxKeys: 3 }),
        fc.constantFrom("member", "reader", "admin"),
        async (route, query, headers, token) => {
          const path = route.path.replaceAll(/\{\w+\}/g, idOf(1));
          const asked = route.withoutProject === true ? `//v3${path}` : path;
          const answer = await api.ask(`GET ${asked}?${query.join("&")}`, { token, version: LATEST, headers });
          expect(api.failures).toEqual([]);
          expect([200, 400, 403, 404, 406]).toContain(answer.status);
          if (answer.status === 400) {
            expect(messageOf(answer)).toMatch(/\S/);
            expect(messageOf(answer).length).toBeLessThan(9_000);
          }
        },
      ),
      { numRuns: 600, seed: Number(process.env["SEED"] ?? 7) },
    );
  });

  it("nothing of another project is changed", async () => {
    const { body: created } = await api.ask("POST /volumes", { body: { volume: { size: 1, metadata: { a: "b" } } } });
    const mine = (created as { volume: { id: string } }).volume.id;
    const before = await world.fakes.volumes.get(mine);
    const routes = apiRoutes(api.deps).filter(
      ({ path, method }) => path.startsWith("/volumes/{id}") && method !== "GET",
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...routes), body, async (route, content) => {
        const path = route.path.replace("{id}", mine).replace("{key}", "a");
        const answer = await api.ask(`${route.method} ${path}`, {
          token: "other",
          version: LATEST,
          ...(route.takesBody && { body: content === undefined ? {} : content }),
        });
        expect([400, 403, 404]).toContain(answer.status);
      }),
      { numRuns: 100 },
    );
    expect(await world.fakes.volumes.get(mine)).toEqual(before);
  });
});

describe("a body", () => {
  it.each([
    ["of as many bytes as are allowed", MAX_BODY_BYTES, 400],
    ["of one more", MAX_BODY_BYTES + 1, 413],
  ])("%s is answered by %s", async (_what, bytes, status) => {
    const padding = bytes - JSON.stringify({ volume: { size: 1, name: "" } }).length;
    const text = JSON.stringify({ volume: { size: 1, name: "x".repeat(padding) } });
    expect(new TextEncoder().encode(text)).toHaveLength(bytes);
    expect((await api.ask("POST /volumes", { body: text })).status).toBe(status);
  });

  it("is measured in bytes, not in characters", async () => {
    const text = JSON.stringify({ volume: { size: 1, name: "💥".repeat(MAX_BODY_BYTES / 4) } });
    expect(text.length).toBeLessThan(MAX_BODY_BYTES);
    expect((await api.ask("POST /volumes", { body: text })).status).toBe(413);
  });

  it.each([
    ["[", "]"],
    ['{"a":', "}"],
  ])("that is nested 10,000 times by %s is refused", async (open, close) => {
    const text = `${open.repeat(10_000)}1${close.repeat(10_000)}`;
    expect((await api.ask("POST /volumes", { body: text })).status).toBe(400);
  });

  it.each(PROTOTYPE_KEYS.filter((key) => key !== "toString" && key !== "hasOwnProperty" && key !== "constructor"))(
    "with the metadata key %s is stored as a key or refused, and changes no prototype",
    async (key) => {
      const text = `{"volume":{"size":1,"metadata":{${JSON.stringify(key)}:"v"}}}`;
      const answer = await api.ask("POST /volumes", { body: text });
      expect([202, 400]).toContain(answer.status);
      expect(({} as Record<string, unknown>)["v"]).toBeUndefined();
    },
  );
});
