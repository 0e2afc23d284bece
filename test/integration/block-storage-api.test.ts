import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CinderlessUnderTest, startUnderTest } from "../support/local-cinderless.ts";

/** The complete Block Storage API: the real bundle behind the template's HTTP API, and the workflow behind it. */

/** A body as it comes; each test says what it expects of it. */
// oxlint-disable-next-line typescript/no-explicit-any
type AnyJson = any;

type Volume = { id: string; status: string; name: string | null; size: number };

let under: CinderlessUnderTest;
let url: string;

beforeAll(async () => {
  under = await startUnderTest();
  url = under.cloud.outputs["BlockStorageApiUrl"] ?? "";
});

afterAll(() => under.stop());

async function ask(what: string, body?: unknown, token = "user:abc"): Promise<{ status: number; body: AnyJson }> {
  const [method = "", path = ""] = what.split(" ");
  const response = await fetch(`${url}/${token.split(":")[1]}${path}`, {
    method,
    headers: { "X-Auth-Token": token, ...(body !== undefined && { "Content-Type": "application/json" }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

async function create(volume: Record<string, unknown>, token?: string): Promise<Volume> {
  const { status, body } = await ask("POST /volumes", { volume }, token);
  expect(status).toBe(202);
  return body.volume as Volume;
}

async function whenSettled(id: string, token?: string): Promise<Volume | undefined> {
  for (;;) {
    const { status, body } = await ask(`GET /volumes/${id}`, undefined, token);
    if (status === 404) {
      return undefined;
    }
    const volume = body.volume as Volume;
    if (!["creating", "downloading", "deleting"].includes(volume.status)) {
      return volume;
    }
    await delay(30);
  }
}

const namesOf = async (path: string, token?: string): Promise<(string | null)[]> =>
  (await ask(`GET ${path}`, undefined, token)).body.volumes.map(({ name }: Volume) => name);

describe("a volume through the API", () => {
  it("is created by the workflow, listed at once, and deleted from its backend", async () => {
    const { id } = await create({ size: 1, name: "first" });
    expect(await namesOf("/volumes/detail?name=first")).toEqual(["first"]);
    expect(await whenSettled(id)).toMatchObject({ status: "available", size: 1 });
    expect(under.files().some((file) => file.endsWith(`volume-${id}`))).toBe(true);
    expect((await ask(`DELETE /volumes/${id}`)).status).toBe(202);
    expect(await whenSettled(id)).toBeUndefined();
    expect(under.files().some((file) => file.endsWith(`volume-${id}`))).toBe(false);
    expect(await namesOf("/volumes?name=first")).toEqual([]);
  });

  it("is another project's secret", async () => {
    const { id } = await create({ size: 1, name: "secret" });
    await whenSettled(id);
    // Without authentication every caller is an administrator, so only the lists separate projects here.
    expect(await namesOf("/volumes?name=secret", "other:def")).toEqual([]);
    expect(await namesOf("/volumes?name=secret&all_tenants=1", "other:def")).toEqual(["secret"]);
    await ask(`DELETE /volumes/${id}`);
    await whenSettled(id);
  });

  it("copies another, which cannot be deleted while it has snapshots", async () => {
    const source = await create({ size: 1, name: "source" });
    await whenSettled(source.id);
    const clone = await create({ source_volid: source.id, name: "clone" });
    expect(await whenSettled(clone.id)).toMatchObject({ status: "available", size: 1 });
    for (const { id } of [source, clone]) {
      expect((await ask(`DELETE /volumes/${id}`)).status).toBe(202);
      expect(await whenSettled(id)).toBeUndefined();
    }
  });
});

describe("a project's quota", () => {
  it("is given back by the time the volume is gone", async () => {
    const token = "user:fed";
    for (let round = 0; round < 2; round += 1) {
      const volumes = await Promise.all(Array.from({ length: 10 }, () => create({ size: 1 }, token)));
      expect((await ask("POST /volumes", { volume: { size: 1 } }, token)).status).toBe(413);
      for (const { id } of volumes) {
        await whenSettled(id, token);
        await ask(`DELETE /volumes/${id}`, undefined, token);
      }
      for (const { id } of volumes) {
        expect(await whenSettled(id, token)).toBeUndefined();
      }
    }
  });
});

describe("pages", () => {
  it("are stable while volumes come and go", async () => {
    const token = "user:aaa";
    const volumes: Volume[] = [];
    for (const name of ["one", "two", "three", "four"]) {
      volumes.push(await create({ size: 1, name }, token));
    }
    const first = await ask("GET /volumes?limit=2", undefined, token);
    expect(first.body.volumes.map(({ name }: Volume) => name)).toEqual(["four", "three"]);
    volumes.push(await create({ size: 1, name: "five" }, token));
    const next = new URL(first.body.volumes_links[0].href);
    expect(await namesOf(`/volumes${next.search}`, token)).toEqual(["two", "one"]);
    expect(await namesOf("/volumes?sort=name:asc&limit=2", token)).toEqual(["five", "four"]);
    expect(await namesOf("/volumes?offset=1&limit=1", token)).toEqual(["four"]);
    for (const { id } of volumes) {
      await whenSettled(id, token);
      await ask(`DELETE /volumes/${id}`, undefined, token);
      await whenSettled(id, token);
    }
  });
});

describe("requests that are wrong", () => {
  it.each(["/volumes/%2e%2e", "/volumes/%00", "/volumes/%f0%9f%92%a9", "/volumes/%zz"])(
    "of %s find nothing and break nothing",
    async (path) => {
      expect((await ask(`GET ${path}`)).status).toBe(404);
    },
  );

  it("of an id that is longer than any key finds nothing", async () => {
    expect((await ask(`GET /volumes/${"x".repeat(5000)}`)).status).toBe(404);
    expect((await ask(`GET /volumes?marker=${"x".repeat(5000)}`)).status).toBe(404);
  });

  it.each(["limit=-1", "limit=abc", "offset=-1", "sort=nope", "sort=name:up"])("with %s are refused", async (query) => {
    expect((await ask(`GET /volumes?${query}`)).status).toBe(400);
  });
});
