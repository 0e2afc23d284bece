import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { pythonRepr } from "../../core/text/python-str.ts";
import { Api, idOf, messageOf } from "../support/api.ts";
import { World } from "../support/fakes/world.ts";

/** Requests that are right but for one part: no answer is a 500, and an answer of 400 names the part or repeats its value. */

const VERSION = "3.44";
const VOLUME = idOf(1);
const TYPE = idOf(2);
const PRIVATE = idOf(3);
const SNAPSHOT = idOf(4);

let world: World;
let api: Api;

beforeEach(async () => {
  world = new World();
  world.addBackend("node@first#pool");
  api = new Api(world);
  await api.ask("POST /volumes", { body: { volume: { size: 1, name: "data" } } });
  const volume = await world.fakes.volumes.get(VOLUME);
  world.fakes.volumes.records.set(VOLUME, {
    ...volume,
    status: "available",
    host: "node@first#pool",
    phase: null,
    deadline: null,
    glance_metadata: { a: "b" },
  });
  await api.ask("POST /types", { token: "admin", body: { volume_type: { name: "fast" } } });
  const hidden = { name: "hidden", "os-volume-type-access:is_public": false };
  await api.ask("POST /types", { token: "admin", body: { volume_type: hidden } });
  await api.ask("POST /snapshots", { body: { snapshot: { volume_id: VOLUME, name: "kept" } } });
});

type Request = { what: string; body: Record<string, unknown>; token?: string };

const action = (name: string, value: unknown, token = "member"): Request => ({
  what: `POST /volumes/${VOLUME}/action`,
  body: { [name]: value },
  token,
});

/** One right request of each kind that has a body. */
const REQUESTS: readonly Request[] = [
  {
    what: "POST /volumes",
    body: {
      volume: {
        size: 1,
        name: "n",
        description: "d",
        metadata: { a: "b" },
        volume_type: "fast",
        availability_zone: "nova",
        snapshot_id: null,
        source_volid: null,
        imageRef: null,
        multiattach: null,
        consistencygroup_id: null,
        group_id: null,
      },
      "OS-SCH-HNT:scheduler_hints": null,
    },
  },
  { what: `PUT /volumes/${VOLUME}`, body: { volume: { name: "n", description: "d", metadata: { a: "b" } } } },
  { what: `POST /volumes/${VOLUME}/metadata`, body: { metadata: { a: "b" } } },
  { what: `PUT /volumes/${VOLUME}/metadata`, body: { metadata: { a: "b" } } },
  { what: `PUT /volumes/${VOLUME}/metadata/a`, body: { meta: { a: "b" } } },
  {
    what: "POST /snapshots",
    body: { snapshot: { volume_id: VOLUME, name: "n", description: "d", force: true, metadata: { a: "b" } } },
  },
  { what: `PUT /snapshots/${SNAPSHOT}`, body: { snapshot: { name: "n", description: "d" } } },
  { what: `POST /snapshots/${SNAPSHOT}/metadata`, body: { metadata: { a: "b" } } },
  {
    what: "POST /types",
    token: "admin",
    body: {
      volume_type: {
        name: "slow",
        description: "d",
        extra_specs: { a: "b" },
        "os-volume-type-access:is_public": true,
      },
    },
  },
  {
    what: `PUT /types/${TYPE}`,
    token: "admin",
    body: { volume_type: { name: "n", description: "d", is_public: true } },
  },
  { what: `POST /types/${TYPE}/extra_specs`, token: "admin", body: { extra_specs: { a: "b" } } },
  { what: `PUT /types/${TYPE}/extra_specs/a`, token: "admin", body: { a: "b" } },
  { what: `POST /types/${PRIVATE}/action`, token: "admin", body: { addProjectAccess: { project: idOf(8) } } },
  { what: "PUT /os-quota-sets/a1b2", token: "admin", body: { quota_set: { volumes: 5, gigabytes: 6 } } },
  { what: "PUT /os-quota-class-sets/default", token: "admin", body: { quota_class_set: { volumes: 5 } } },
  {
    what: "PUT /os-services/disable-log-reason",
    token: "admin",
    body: { host: "node@first", binary: "cinder-volume", disabled_reason: "r" },
  },
  {
    what: "POST /attachments",
    body: { attachment: { volume_uuid: VOLUME, instance_uuid: idOf(9), connector: { host: "h", mode: "rw" } } },
  },
  action("os-extend", { new_size: 2 }),
  action("os-retype", { new_type: "fast", migration_policy: "never" }),
  action("os-set_bootable", { bootable: true }),
  action("os-update_readonly_flag", { readonly: true }),
  action("os-reset_status", { status: "error", attach_status: "detached" }, "admin"),
  action("os-set_image_metadata", { metadata: { a: "b" } }),
  action("os-unset_image_metadata", { key: "a" }),
  action("os-attach", { instance_uuid: idOf(9), mountpoint: "/dev/vdb", host_name: "compute-1", mode: "rw" }),
  action("os-initialize_connection", { connector: { host: "h" } }),
];

type Place = { request: Request; path: readonly string[] };

function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) {
    return [path];
  }
  const below = Object.entries(value).flatMap(([key, each]) => pathsOf(each, [...path, key]));
  return path.length === 0 ? below : [path, ...below];
}

const PLACES: readonly Place[] = REQUESTS.flatMap((request) =>
  pathsOf(request.body).map((path) => ({ request, path })),
);

/** The body with the part at the path replaced, or without it, or with its key replaced. */
function changed(value: unknown, path: readonly string[], how: Change): unknown {
  const [key, ...rest] = path;
  if (key === undefined) {
    return how.kind === "value" ? how.value : value;
  }
  const entries = Object.entries(value as Record<string, unknown>).flatMap(([each, item]): [string, unknown][] => {
    if (each !== key) {
      return [[each, item]];
    }
    if (rest.length > 0 || how.kind === "value") {
      return [[each, changed(item, rest, how)]];
    }
    return how.kind === "missing" ? [] : [[how.key, item]];
  });
  return Object.fromEntries(entries);
}

type Change = { kind: "value"; value: unknown } | { kind: "missing" } | { kind: "key"; key: string };

const TEXTS = [
  "",
  " ",
  "\u0000",
  "\ud800",
  "a\udc00b",
  "\u202e",
  "💥".repeat(64),
  "x".repeat(256),
  "x".repeat(70_000),
  "__proto__",
  "constructor",
  "../../etc/passwd",
  "%00",
  "-1",
  "1e999",
  "NaN",
  "٣",
  "<script>",
];

const deep = (levels: number): unknown => (levels === 0 ? 1 : [{ a: deep(levels - 1) }]);

const text = fc.oneof(fc.constantFrom(...TEXTS), fc.string({ unit: "binary", maxLength: 30 }));

const change: fc.Arbitrary<Change> = fc.oneof(
  fc
    .oneof(
      text,
      fc.constantFrom<unknown>(null, true, false, 0, -1, -0, 1.5, 2 ** 31, Number.MAX_SAFE_INTEGER, 1e308, [], {}, [
        [],
      ]),
      fc.constantFrom(deep(3), deep(14), deep(40)),
      fc.dictionary(text, fc.oneof(text, fc.integer()), { maxKeys: 2, noNullPrototype: true }),
    )
    .map((value) => ({ kind: "value" as const, value })),
  fc.constant({ kind: "missing" as const }),
  text.map((key) => ({ kind: "key" as const, key })),
);

/** Answers about the state of a volume, a snapshot or a quota that the requests before have left. */
const ABOUT_STATE =
  /^Invalid (?:volume|snapshot): |^Quota \w+ limit must be equal or greater than existing resources\./;

/** Cinder's own words for what is missing; they name no field as it is spelled. */
const WITHOUT_NAME = [
  "The server could not comply with the request since it is either malformed or otherwise incorrect.",
  "Must specify 'status', 'attach_status' or 'migration_status' for update.",
  "Specify volume type name, description, is_public or a combination thereof.",
  "Invalid input received: Host field is missing.",
  "Missing disabled reason field",
  "Malformed request body",
];

/** The message has the part, one around it, its new value or its new key, as it is or as Python shows it. */
function namesPart(message: string, path: readonly string[], how: Change): boolean {
  const shown = how.kind === "value" ? how.value : how.kind === "key" ? how.key : "";
  const keys = keysOf(shown);
  const texts = [...keys, ...(typeof shown === "string" ? [shown] : [])].filter((text) => text.trim() !== "");
  const parts = [
    ...path,
    ...path.map((part) => part.replaceAll("_", " ")),
    // The whole body is what is around its own keys.
    ...[...keys, "body"].map((key) => `field/attribute ${key}.`),
    ...texts.map((text) => text.slice(0, 255).toWellFormed()),
    ...texts.map((text) => pythonRepr(text).slice(1, 100).replace(/'$/, "")),
  ];
  return (
    parts.some((part) => message.toLowerCase().includes(part.toLowerCase())) ||
    / (?:does not match|is not valid under) |^(?:Additional properties|There is no such action:) | Bad key\(s\) in /.test(
      message,
    )
  );
}

/** The keys of a value, and of what it holds. */
function keysOf(value: unknown): string[] {
  return typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([key, each]) => [key, ...keysOf(each)])
    : [];
}

describe("a request that is right but for one part", () => {
  it.each(REQUESTS.map((request) => [request.what, Object.keys(request.body).join(), request] as const))(
    "%s with %s is accepted as it is",
    async (_what, _key, request) => {
      const { status, body } = await api.ask(request.what, { version: VERSION, ...request });
      expect(status < 300 ? "accepted" : messageOf({ body })).toBe("accepted");
    },
  );

  it("is never answered by 500, and an answer of 400 names the part", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...PLACES), change, async ({ request, path }, how) => {
        const body = changed(request.body, path, how);
        const answer = await api.ask(request.what, { version: VERSION, token: request.token ?? "member", body });
        expect(api.failures).toEqual([]);
        expect([200, 202, 400, 403, 404, 409, 413]).toContain(answer.status);
        const message = answer.status === 400 ? messageOf(answer) : "";
        if (message !== "" && !ABOUT_STATE.test(message) && !WITHOUT_NAME.includes(message)) {
          expect([message, namesPart(message, path, how)]).toEqual([message, true]);
        }
      }),
      { numRuns: 2000, seed: Number(process.env["SEED"] ?? 7) },
    );
  });

  it.each([
    ["name", { name: "a\ud800" }],
    ["a", { metadata: { a: "\udc00" } }],
    ["metadata", { metadata: { "\ud83d": "x" } }],
  ])("is refused when half a character is in %s", async (field, part) => {
    const answer = await api.ask("POST /volumes", { body: { volume: { size: 1, ...part } } });
    expect([answer.status, messageOf(answer)]).toEqual([
      400,
      `Invalid input for field/attribute ${field}. It is not valid Unicode.`,
    ]);
    const whole = { body: `{"volume":{"size":1,"name":"\\ud83d\\udca5"}}` };
    expect((await api.ask("POST /volumes", whole)).status).toBe(202);
  });
});
