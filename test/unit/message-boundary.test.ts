import { describe, expect, it } from "vitest";
import { REQUEST_BYTES } from "../../core/requests/byte-budget.ts";
import { parseCreateVolumeMessage } from "../../core/requests/messages.ts";
import { readMessage } from "../../core/scheduling/receive-message.ts";
import { aMessage, IMAGE_ID, SNAPSHOT_ID, SOURCE_ID, VOLUME_ID } from "../support/builders.ts";
import { CONTEXT } from "../support/fakes/world.ts";

const body = (keys: Record<string, unknown> = {}): string => JSON.stringify(aMessage(keys));

function reasonOf(text: string): string {
  const read = readMessage(text);
  return "reason" in read ? read.reason : "";
}

/** JSON of `{ "a": { "a": ... } }`, so many levels deep. */
function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) {
    value = { a: value };
  }
  return value;
}

describe("numbers of keys that are not known", () => {
  const withNumber = (number: string, key = "id"): string =>
    body({ request_spec: { volume_id: VOLUME_ID, [key]: "N" } }).replace('"N"', number);

  it.each([
    "9007199254740991",
    "-9007199254740991",
    "9007199254740992",
    "0",
    "-0",
    "1.5",
    "0.1",
    "1e+16",
    "1.7976931348623157e+308",
  ])("are kept: %s", (number) => {
    expect(parseCreateVolumeMessage(withNumber(number)).request_spec?.["id"]).toBe(Number(number));
  });

  it.each([
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "1152921504606846976",
    "1e400",
    "9E+308",
    "-123456789012345e295",
  ])("are refused where they would be altered: %s", (number) => {
    expect(reasonOf(withNumber(number))).toContain(
      "message: id has a number that is not kept exactly; send it as a string",
    );
    expect(reasonOf(withNumber(number, "a key of others"))).toContain("an unknown field has a number");
  });
});

describe("a message is refused at once, by the name of the field, with", () => {
  const spec = (keys: Record<string, unknown>): string => body({ request_spec: { volume_id: VOLUME_ID, ...keys } });
  const retry = (keys: Record<string, unknown>): string => body({ filter_properties: { retry: keys } });
  it.each<[string, string, string]>([
    ["a pin that is not a string", spec({ resource_backend: 7 }), "request_spec.resource_backend must be a string"],
    ["zones that are a string", spec({ availability_zones: "nova" }), "request_spec.availability_zones must be a list"],
    [
      "a zone that is a number",
      spec({ availability_zones: [1] }),
      "request_spec.availability_zones.0 must be a string",
    ],
    ["very many zones", spec({ availability_zones: Array(1_001).fill("z") }), "availability_zones must have at most"],
    [
      "properties that are a list",
      spec({ volume_properties: [] }),
      "request_spec.volume_properties must be an object, not a list",
    ],
    [
      "properties that are a number",
      spec({ volume_properties: 7 }),
      "request_spec.volume_properties must be an object, not a number",
    ],
    ["a retry that is a string", body({ filter_properties: { retry: "1" } }), "must be an object, not a string"],
    [
      "a zone that is an object",
      spec({ resource_properties: { availability_zone: {} } }),
      "request_spec.resource_properties.availability_zone must be a string",
    ],
    ["a size that is a string", spec({ volume_properties: { size: "1" } }), "volume_properties.size must be a number"],
    ["metadata that is a list", spec({ volume_properties: { metadata: [] } }), "volume_properties.metadata must be"],
    ["a type that is a string", spec({ volume_type: "fast" }), "request_spec.volume_type must be an object"],
    [
      "an extra spec that is a number",
      spec({ volume_type: { extra_specs: { a: 1 } } }),
      "request_spec.volume_type.extra_specs must be an object of strings",
    ],
    [
      "one extra spec of two that is a number",
      spec({ volume_type: { extra_specs: { a: "1", b: 1 } } }),
      "request_spec.volume_type.extra_specs must be an object of strings",
    ],
    ["retried backends that are an object", retry({ backends: {} }), "filter_properties.retry.backends must be a list"],
    ["retried hosts that are a string", retry({ hosts: "h" }), "filter_properties.retry.hosts must be a list"],
    ["a retried host that is null", retry({ hosts: [null] }), "filter_properties.retry.hosts.0 must be a string"],
    ["a retry that is a list", body({ filter_properties: { retry: [] } }), "filter_properties.retry must be an object"],
    ["a count of attempts past every use", retry({ num_attempts: 2 ** 53 - 1 }), "num_attempts must be a whole number"],
    ["a count of attempts below zero", retry({ num_attempts: -1 }), "num_attempts must be a whole number"],
    ["a count of attempts that is a string", retry({ num_attempts: "1" }), "num_attempts must be a whole number"],
    ["half an attempt", retry({ num_attempts: 0.5 }), "num_attempts must be a whole number"],
    ["earlier attempts that are a string", retry({ attempts_before_redrive: "1" }), "attempts_before_redrive must be"],
    ["filter properties that are a list", body({ filter_properties: [] }), "filter_properties must be an object"],
    ["a request spec that is a list", body({ request_spec: [] }), "request_spec must be an object"],
    ["a spec that nests without end", spec({ other: nested(5_000) }), "request_spec nests deeper than 100 levels"],
    ["a context that nests without end", body({ context: nested(101) }), "context nests deeper than 100 levels"],
    ["a list that nests without end", `${"[".repeat(100_000)}${"]".repeat(100_000)}`, "nests deeper than 100 levels"],
  ])("%s", (_what, text, reason) => {
    expect(reasonOf(text)).toContain(reason);
    expect(reasonOf(text)).toMatch(/^Invalid input received: /);
  });

  it("more bytes than leave room for failures, also where the bytes are emoji", () => {
    const allowed = (padding: string): string => body({ request_spec: { padding } });
    expect(reasonOf(allowed("x".repeat(REQUEST_BYTES - 2_000)))).toBe("");
    expect(reasonOf(allowed("x".repeat(REQUEST_BYTES)))).toMatch(
      /the message takes \d+ bytes; at most \d+ are allowed/,
    );
    expect(reasonOf(allowed("😀".repeat(REQUEST_BYTES / 12)))).toMatch(/the message takes \d+ bytes/);
  });
});

it("a message whose retry has grown by failures is not refused for its size", () => {
  const exc = Array.from({ length: 11 }, () => "\uFFFD".repeat(500));
  const padding = "x".repeat(REQUEST_BYTES - 2_000);
  const text = body({ request_spec: { padding }, filter_properties: { retry: { num_attempts: 1, hosts: [], exc } } });
  expect(reasonOf(text)).toBe("");
});

describe("what a message may hold", () => {
  it("is what Cinder leaves out or sends as null", () => {
    const nothing = {
      availability_zones: null,
      resource_backend: null,
      volume_type: null,
      volume_properties: { size: null, availability_zone: null, metadata: null },
      resource_properties: null,
    };
    const retry = { num_attempts: null, backends: null, hosts: null };
    expect(reasonOf(body({ request_spec: nothing, filter_properties: { retry } }))).toBe("");
    expect(reasonOf(body({ request_spec: { volume_type: { extra_specs: { a: null } } } }))).toBe("");
    expect(reasonOf(body({ filter_properties: { retry: null } }))).toBe("");
  });

  it("is a context without a user, a project or rights, which gives no rights", () => {
    const { context } = parseCreateVolumeMessage(body({ context: {} }));
    expect(context).toEqual({
      request_id: "",
      user_id: null,
      project_id: null,
      is_admin: false,
      roles: [],
    });
  });

  it("is nested a hundred levels deep", () => {
    expect(reasonOf(body({ request_spec: nested(99) }))).toBe("");
    expect(reasonOf(body({ request_spec: nested(100) }))).toContain("nests deeper");
  });

  it("comes out of the boundary as it came, with keys that JavaScript has a meaning for", () => {
    const spec = '{"constructor":1,"__proto__":{"x":1},"volume_properties":{"metadata":{"constructor":"c","":"e"}}}';
    const text = body({ request_spec: null }).replace('"request_spec":null', `"request_spec":${spec}`);
    expect(JSON.stringify(parseCreateVolumeMessage(text).request_spec)).toBe(spec);
  });
});

describe("identifiers of a message", () => {
  it("are read in any case, and are in lower case from there on", () => {
    const message = parseCreateVolumeMessage(
      body({
        volume_id: VOLUME_ID.toUpperCase(),
        snapshot_id: SNAPSHOT_ID.toUpperCase(),
        source_volid: SOURCE_ID.toUpperCase(),
        image_id: IMAGE_ID.toUpperCase(),
      }),
    );
    expect(message).toMatchObject({
      volume_id: VOLUME_ID,
      snapshot_id: SNAPSHOT_ID,
      source_volid: SOURCE_ID,
      image_id: IMAGE_ID,
    });
    const bad = body({ volume_id: VOLUME_ID.toUpperCase(), snapshot_id: "x" });
    expect(readMessage(bad).volumeId).toBe(VOLUME_ID);
  });

  it("include an image's address", () => {
    const address = `https://glance.example:9292/v2/images/${IMAGE_ID.toUpperCase()}`;
    expect(parseCreateVolumeMessage(body({ image_id: address })).image_id).toBe(
      `https://glance.example:9292/v2/images/${IMAGE_ID}`,
    );
  });

  it.each([
    `https://user:s3cr3t@glance.example/${IMAGE_ID}`,
    "https:user:s3cr3t@glance.example",
    `https://s3cr3t@glance.example/${IMAGE_ID}`,
    `https://glance.example/${IMAGE_ID}?sig=s3cr3t`,
    `https://glance.example/${IMAGE_ID}#s3cr3t`,
    `https://glance.example/${IMAGE_ID}?`,
    `s3://bucket/${IMAGE_ID}?X-Amz-Signature=s3cr3t`,
    "ftp://s3cr3t/x",
    "user:s3cr3t@host",
    `https://glance.example/\n${IMAGE_ID}`,
  ])("do not include %j, in the message or in its request spec", (reference) => {
    for (const text of [body({ image_id: reference }), body({ request_spec: { image_id: reference } })]) {
      expect(reasonOf(text)).toMatch(/image_id must be a UUID, or an address/);
      expect(reasonOf(text)).not.toContain("s3cr3t");
    }
  });
});

it("the context's token goes no further than the boundary, wherever its key stands", () => {
  const message = parseCreateVolumeMessage(body({ context: { ...CONTEXT, auth_token: "s3cr3t" } }));
  expect(JSON.stringify(message)).not.toContain("s3cr3t");
});
