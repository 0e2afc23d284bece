import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { GlanceOptions } from "../../core/images/image-services.ts";
import { parseImageServices } from "../../core/images/image-services.ts";
import type { RequestContext } from "../../core/requests/messages.ts";
import type { ImageRange } from "../../core/drivers/driver-ports.ts";
import { createImageServices } from "../../adapters/images.ts";
import { EnvironmentSecrets } from "../../adapters/secrets/environment.ts";
import { MemoryImages, sparseContent } from "../support/drivers.ts";
import { FakeGlance } from "../support/fake-glance.ts";

const CONTENT = sparseContent(200_000, 7, 1);
const MEMBER: RequestContext = {
  request_id: "",
  user_id: "user-a",
  project_id: "proj-a",
  is_admin: false,
  roles: ["member", "reader"],
};

let glance: FakeGlance;

beforeEach(async () => {
  glance = await FakeGlance.start();
});
afterEach(() => glance.stop());

type Settings = { context?: Partial<RequestContext>; secrets?: Record<string, unknown> } & Record<string, unknown>;

/** Short, for some tests wait for it, and longer than an answer takes on a busy machine. */
const SILENCE_MS = 2000;

/** Finds an image as a caller does. */
function find(href: string, { context = {}, secrets = {}, ...options }: Settings = {}) {
  const { glance: parsed } = parseImageServices({ glance: { api_servers: [glance.url], num_retries: 1, ...options } });
  const services = createImageServices(
    { bucket: "images", service: new MemoryImages(Buffer.alloc(0)) },
    {
      options: parsed as GlanceOptions,
      secrets: new EnvironmentSecrets(JSON.stringify(secrets)),
      clock: { now: () => new Date() },
      patience: { answerMs: SILENCE_MS, silenceMs: SILENCE_MS, retryPauseMs: 5 },
    },
  );
  const caller = { ...MEMBER, ...context };
  const { service, imageId } = services.forHref(caller, href);
  return {
    service,
    imageId,
    show: () => service.show(caller, imageId),
    locate: () => service.getLocation(caller, imageId),
  };
}

async function bytesOf({ body }: ImageRange): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) {
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

describe("metadata", () => {
  it("have Cinder's shape: every attribute that is not a base attribute is a property", async () => {
    const id = glance.add(CONTENT, { block_device_mapping: '[{"boot_index":0}]', mappings: "no JSON" });
    expect(await find(id).show()).toEqual({
      id,
      name: "raw-mixed",
      status: "active",
      disk_format: "raw",
      container_format: "bare",
      size: CONTENT.length,
      virtual_size: CONTENT.length,
      min_disk: 0,
      min_ram: 64,
      checksum: expect.stringMatching(/^[0-9a-f]{32}$/),
      os_hash_algo: "sha512",
      os_hash_value: expect.stringMatching(/^[0-9a-f]{128}$/),
      owner: "proj-a",
      visibility: "public",
      properties: {
        os_distro: "debian",
        hw_disk_bus: "virtio",
        hw_qemu_guest_agent: "yes",
        block_device_mapping: [{ boot_index: 0 }],
        mappings: "no JSON",
      },
    });
  });

  it("of a queued image have no size, hash or format", async () => {
    const nothing = { size: null, checksum: null, os_hash_algo: null, os_hash_value: null, disk_format: null };
    const id = glance.add(CONTENT, { ...nothing, status: "queued" });
    expect(await find(id).show()).toMatchObject({ ...nothing, status: "queued" });
  });

  it("that are larger than a state document are refused", async () => {
    const id = glance.add(CONTENT, { essay: "x".repeat(70_000) });
    await expect(find(id).show()).rejects.toMatchObject({ name: "ImageUnacceptable" });
  });

  it("show only locations without credentials", async () => {
    glance.locations = true;
    const plain = { url: "file:///images/1", metadata: { store: "fast", password: "s3cr3t" } };
    const id = glance.add(CONTENT, {
      direct_url: "s3+https://KEY:s3cr3t@s3.example/bucket/1",
      locations: [plain, { url: "https://s3.example/bucket/1?X-Amz-Signature=s3cr3t", metadata: {} }],
    });
    expect(await find(id).locate()).toEqual({
      direct_url: null,
      locations: [{ url: "file:///images/1", metadata: { store: "fast", password: "***" } }],
    });
  });

  it("of another image than the requested one are not accepted", async () => {
    const id = glance.add(CONTENT);
    glance.change(id, { id: glance.add(CONTENT) });
    await expect(find(id).show()).rejects.toMatchObject({ name: "GlanceConnectionFailed" });
  });
});

describe("bytes", () => {
  it.each([
    ["the whole", 0, undefined],
    ["the beginning", 0, 100],
    ["the middle", 65_536, 131_072],
    ["the end", 199_900, undefined],
  ])("%s of an image by Range", async (_what, from, to) => {
    const { service, imageId } = find(glance.add(CONTENT));
    const range = await service.openRange(imageId, from, { to });
    expect(range).toMatchObject({ totalSize: CONTENT.length, ranged: true });
    expect(Buffer.compare(await bytesOf(range), CONTENT.subarray(from, to))).toBe(0);
  });

  it.each(["refused", "ignored"] as const)("come whole, and say so, where a Range is %s", async (ranges) => {
    glance.ranges = ranges;
    const { service, imageId } = find(glance.add(CONTENT));
    const range = await service.openRange(imageId, 1000, { to: 2000 });
    expect(range).toMatchObject({ totalSize: CONTENT.length, ranged: false });
    expect(Buffer.compare(await bytesOf(range), CONTENT)).toBe(0);
  });

  it("are asked for without Range once a store has refused one", async () => {
    glance.ranges = "refused";
    const { service, imageId } = find(glance.add(CONTENT));
    await bytesOf(await service.openRange(imageId, 0));
    await bytesOf(await service.openRange(imageId, 0));
    expect(glance.requests.filter(({ path }) => path.endsWith("/file")).map(({ headers }) => headers.range)).toEqual([
      "bytes=0-",
      undefined,
      undefined,
    ]);
  });

  it("are read on with the tag of the same content, and not with another's", async () => {
    const { service, imageId } = find(glance.add(CONTENT));
    const { tag, body } = await service.openRange(imageId, 0, { to: 10 });
    await bytesOf({ body } as ImageRange);
    expect((await bytesOf(await service.openRange(imageId, 10, { tag, to: 20 }))).length).toBe(10);
    await expect(service.openRange(imageId, 10, { tag: `${tag}x` })).rejects.toMatchObject({
      name: "ImageCopyFailure",
      message: expect.stringContaining("changed"),
    });
  });

  it("of a queued image are refused", async () => {
    const { service, imageId } = find(glance.add(CONTENT, { status: "queued", size: null }));
    await expect(service.openRange(imageId, 0)).rejects.toMatchObject({
      name: "ImageCopyFailure",
      message: expect.stringContaining("contains no data"),
    });
  });

  it("of a deactivated image are forbidden, also to a service that Glance would give them to", async () => {
    const { service, imageId } = find(glance.add(CONTENT, { status: "deactivated" }));
    await expect(service.openRange(imageId, 0)).rejects.toMatchObject({ name: "ImageNotAuthorized" });
  });

  it("of a deactivated image are forbidden by Glance, when the metadata were read before", async () => {
    glance.authentication = "trusted";
    const { service, imageId, show } = find(glance.add(CONTENT), { auth: { type: "trusted_headers" } });
    await show();
    glance.change(imageId, { status: "deactivated" });
    await expect(service.openRange(imageId, 0)).rejects.toMatchObject({ name: "ImageNotAuthorized" });
  });

  it("beyond the end are a changed image", async () => {
    const { service, imageId } = find(glance.add(CONTENT));
    await expect(service.openRange(imageId, 200_000)).rejects.toMatchObject({ name: "ImageCopyFailure" });
  });

  it("of another size than the metadata say are refused", async () => {
    const { service, imageId } = find(glance.add(CONTENT, { size: 1000 }));
    await expect(service.openRange(imageId, 0)).rejects.toMatchObject({
      name: "ImageCopyFailure",
      message: expect.stringContaining("200000 bytes"),
    });
  });

  it.each(["stall", "cut"] as const)("that %s half-way fail in time, and are uncertain", async (fault) => {
    const { service, imageId } = find(glance.add(CONTENT));
    glance.fail(fault, /file$/);
    const range = await service.openRange(imageId, 0);
    await expect(bytesOf(range)).rejects.toMatchObject({ name: "GlanceConnectionFailed" });
  });

  it("may be left before their end", async () => {
    const { service, imageId } = find(glance.add(CONTENT));
    for await (const piece of (await service.openRange(imageId, 0)).body) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    expect((await bytesOf(await service.openRange(imageId, 0))).length).toBe(CONTENT.length);
  });

  it("stop with the reader's own signal", async () => {
    const { service, imageId } = find(glance.add(CONTENT));
    const abort = new AbortController();
    glance.fail("stall", /file$/);
    const range = await service.openRange(imageId, 0, { signal: abort.signal });
    const reading = bytesOf(range);
    abort.abort(new Error("the turn is over"));
    await expect(reading).rejects.toThrow("the turn is over");
  });

  it("wait for a slow reader", async () => {
    const { service, imageId } = find(glance.add(sparseContent(2_000_000, 1, 1)));
    let length = 0;
    for await (const piece of (await service.openRange(imageId, 0)).body) {
      // Longer than the silence that is allowed to a server.
      if (length === 0) {
        await new Promise((resolve) => {
          setTimeout(resolve, 1.5 * SILENCE_MS);
        });
      }
      length += piece.length;
    }
    expect(length).toBe(2_000_000);
  });
});

describe("errors by status", () => {
  it.each([
    [400, "InvalidInput"],
    [401, "ImageNotAuthorized"],
    [403, "ImageNotAuthorized"],
    [404, "ImageNotFound"],
    [416, "ImageCopyFailure"],
    [410, "ImageCopyFailure"],
    [413, "ImageCopyFailure"],
  ])("%d is %s", async (status, name) => {
    const id = glance.add(CONTENT);
    glance.fail({ status });
    glance.fail({ status });
    await expect(find(id).show()).rejects.toMatchObject({ name });
  });

  it("keep a cut of the page's text, without its markup", async () => {
    const id = glance.add(CONTENT);
    glance.fail({ status: 400 });
    await expect(find(id).show()).rejects.toThrow(/refuses the request for image \S+: Out of order$/);
  });

  it("of an id that does not exist: ImageNotFound", async () => {
    await expect(find("0b9d2c34-98a5-4ab0-8f0e-0a2ab6ab1c55").show()).rejects.toMatchObject({ name: "ImageNotFound" });
  });
});

describe("servers", () => {
  it.each([429, 500, 502, 503, 504])("that answer %d are asked again", async (status) => {
    const id = glance.add(CONTENT);
    glance.fail({ status });
    expect((await find(id).show()).id).toBe(id);
  });

  it.each(["silent", "hang up"] as const)("that are %s are asked again", async (fault) => {
    const id = glance.add(CONTENT);
    glance.fail(fault);
    expect((await find(id).show()).id).toBe(id);
  });

  it.each(["silent", "hang up", { status: 503 }] as const)(
    "that stay %j are given up after the tries",
    async (fault) => {
      const id = glance.add(CONTENT);
      for (let count = 0; count < 2; count += 1) {
        glance.fail(fault);
      }
      await expect(find(id).show()).rejects.toMatchObject({ name: "GlanceConnectionFailed" });
      expect(glance.requests).toHaveLength(2);
    },
  );

  it("of which one is dead are asked in turn", async () => {
    const dead = await FakeGlance.start();
    const api_servers = [dead.url, glance.url];
    await dead.stop();
    const id = glance.add(CONTENT);
    for (let count = 0; count < 8; count += 1) {
      expect((await find(id, { api_servers }).show()).id).toBe(id);
    }
  });

  it("may lie below a path", async () => {
    glance.prefix = "/image";
    const id = glance.add(CONTENT);
    expect((await find(id).show()).id).toBe(id);
    expect(glance.requests[0]?.path).toBe(`/image/v2/images/${id}`);
  });

  it("that redirect are not followed: the token stays here", async () => {
    const other = await FakeGlance.start();
    const id = glance.add(CONTENT);
    for (let count = 0; count < 2; count += 1) {
      glance.fail({ status: 302, headers: { Location: `${other.url}/v2/images/${id}` } });
    }
    await expect(find(id).show()).rejects.toThrow(/answered 302, a redirect, which is not followed/);
    expect(other.requests).toEqual([]);
    await other.stop();
  });

  it("that answer with a page instead of JSON do not count as Glance", async () => {
    const id = glance.add(CONTENT);
    glance.fail("html");
    await expect(find(id).show()).rejects.toMatchObject({ name: "GlanceConnectionFailed" });
  });
});

describe("addresses", () => {
  it("lead to their own server, with its path", async () => {
    glance.prefix = "/image";
    const id = glance.add(CONTENT);
    expect((await find(`${glance.url}/v2/images/${id}`).show()).id).toBe(id);
    expect((await find(`${glance.url}/images/${id}`).show()).id).toBe(id);
  });

  it("lead to hosts that are allowed", async () => {
    const id = glance.add(CONTENT);
    const options = { api_servers: ["http://glance.example:9292"], allowed_hosts: [glance.url] };
    expect((await find(`${glance.url}/v2/images/${id}`, options).show()).id).toBe(id);
  });

  it.each([
    "http://evil.example/v2/images/ID",
    "http://127.0.0.1:1/v2/images/ID",
    "https://HOST/v2/images/ID",
    "http://HOST@evil.example/v2/images/ID",
    "http://user:pass@HOST/v2/images/ID",
    "http://HOST.evil.example/v2/images/ID",
    "http://HOST/v2/images/ID/",
    "http://HOST/v2/images/",
    "http://HOST/v2/images/ID?x=1",
    "http://HOST/v2/images/ID#x",
    "http://HOST/v2/images/../x/ID",
    "http://HOST/v2/images/%2e%2e/ID",
    "http://HOST/v2/images/cirros",
    "ftp://HOST/v2/images/ID",
    "s3://other/ID",
  ])("%s is refused", (template) => {
    const href = template.replace("ID", glance.add(CONTENT)).replace("HOST", new URL(glance.url).host);
    const refused = expect.objectContaining({ name: "InvalidImageRef", message: expect.not.stringContaining("pass@") });
    expect(() => find(href)).toThrow(refused);
    expect(glance.requests).toEqual([]);
  });
});

describe("locations", () => {
  it("of a permitted scheme on a permitted host are read without Glance, and without its token", async () => {
    glance.locations = true;
    const store = await FakeGlance.start();
    const stored = store.add(CONTENT);
    const id = glance.add(CONTENT, { direct_url: `${store.url}/v2/images/${stored}/file` });
    glance.authentication = "token";
    glance.tokens.set("right", "proj-a");
    const { service } = find(id, {
      allowed_hosts: [store.url],
      allowed_direct_url_schemes: ["http"],
      auth: { type: "fixed_token", secret: "token" },
      secrets: { token: { token: "right" } },
    });
    const range = await service.openRange(id, 100, { to: 300 });
    expect(Buffer.compare(await bytesOf(range), CONTENT.subarray(100, 300))).toBe(0);
    expect(store.requests.map(({ headers }) => headers["x-auth-token"])).toEqual([undefined]);
    expect(glance.requests.some(({ path }) => path.endsWith("/file"))).toBe(false);
    await store.stop();
  });

  it.each([
    ["of another host", { allowed_direct_url_schemes: ["http"] }],
    ["of another scheme", { allowed_hosts: ["http://127.0.0.1:1"], allowed_direct_url_schemes: ["https"] }],
    ["that do not answer", { allowed_hosts: ["http://127.0.0.1:1"], allowed_direct_url_schemes: ["http"] }],
  ])("%s are left to Glance", async (_what, options) => {
    glance.locations = true;
    const { service, imageId } = find(glance.add(CONTENT, { direct_url: "http://127.0.0.1:1/x" }), options);
    expect((await bytesOf(await service.openRange(imageId, 0))).length).toBe(CONTENT.length);
    expect(glance.requests.some(({ path }) => path.endsWith("/file"))).toBe(true);
  });
});
