import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createImageServices } from "../../adapters/images.ts";
import { type GlanceAuth, type GlanceOptions, parseImageServices } from "../../core/images/image-services.ts";
import type { RequestContext } from "../../core/requests/messages.ts";
import type { Secrets } from "../../core/ports.ts";
import { MemoryImages } from "../support/drivers.ts";
import { FakeGlance, FakeKeystone } from "../support/fake-glance.ts";

const CONTENT = Buffer.from("bytes of an image");
const MEMBER: RequestContext = {
  request_id: "",
  user_id: "user-a",
  project_id: "proj-a",
  is_admin: false,
  roles: ["member", "reader"],
};

let glance: FakeGlance;
let keystone: FakeKeystone;

beforeEach(async () => {
  glance = await FakeGlance.start();
  keystone = await FakeKeystone.start();
  keystone.onToken = (token) => glance.tokens.set(token, "admin");
});
afterEach(async () => {
  await glance.stop();
  await keystone.stop();
});

/** Secrets that a test may change; a renewed read returns the new value, as with Secrets Manager. */
class MemorySecrets implements Secrets {
  readonly values: Record<string, unknown>;
  readonly reads: { name: string; renewed: boolean }[] = [];
  readonly #kept = new Map<string, string>();

  constructor(values: Record<string, unknown>) {
    this.values = values;
  }

  async read(name: string, renewed = false): Promise<string> {
    this.reads.push({ name, renewed });
    if (!(name in this.values)) {
      throw new Error(`there is no secret ${name}`);
    }
    if (renewed || !this.#kept.has(name)) {
      this.#kept.set(name, JSON.stringify(this.values[name]));
    }
    return this.#kept.get(name) ?? "";
  }
}

/** A deployment's Glance, whose tokens are kept from one caller to the next. */
function deploy(auth: Partial<GlanceAuth> & { type: GlanceAuth["type"] }, secrets = new MemorySecrets({})) {
  const options = parseImageServices({ glance: { api_servers: [glance.url], num_retries: 0, auth } });
  const services = createImageServices(
    { bucket: "images", service: new MemoryImages(Buffer.alloc(0)) },
    {
      options: options.glance as GlanceOptions,
      secrets,
      clock: { now: () => new Date() },
      patience: { answerMs: 2000, silenceMs: 2000, retryPauseMs: 5 },
    },
  );
  return {
    secrets,
    as: (context: Partial<RequestContext>, id: string) => {
      const caller = { ...MEMBER, ...context };
      const { service } = services.forHref(caller, id);
      return { service, show: () => service.show(caller, id) };
    },
  };
}

const NOT_FOUND = { name: "ImageNotFound" };
const NOT_AUTHORIZED = { name: "ImageNotAuthorized" };
const NO_CONNECTION = { name: "GlanceConnectionFailed" };

describe("without authentication", () => {
  const images = () => deploy({ type: "none" });

  it.each<[string, Partial<RequestContext>, Record<string, unknown>]>([
    ["its owner's project", {}, { owner: "proj-a", visibility: "private" }],
    ["everybody, when it is public", { project_id: "proj-b" }, { visibility: "public" }],
    ["everybody, when it is a community's", { project_id: "proj-b" }, { visibility: "community" }],
    ["an administrator", { project_id: "proj-b", is_admin: true }, { visibility: "private" }],
    [
      "the project that a property names as owner",
      { project_id: "proj-b" },
      { visibility: "private", owner_id: "proj-b" },
    ],
    ["the project that a property names", { project_id: "proj-b" }, { visibility: "private", project_id: "proj-b" }],
    ["the user that a property names", { user_id: "u", project_id: "proj-b" }, { visibility: "private", user_id: "u" }],
  ])("an image is seen by %s", async (_who, context, document) => {
    const id = glance.add(CONTENT, document);
    expect((await images().as(context, id).show()).id).toBe(id);
  });

  it.each<[string, Partial<RequestContext>, Record<string, unknown>]>([
    ["another project", { project_id: "proj-b" }, { visibility: "private" }],
    ["no project", { project_id: null }, { visibility: "private", owner: null }],
    ["nobody", { project_id: null, user_id: null }, { visibility: "private", owner: null, user_id: null }],
    ["a project that it is not shared with", { project_id: "proj-b" }, { visibility: "shared" }],
    [
      "a caller who claims to be an administrator by role",
      { project_id: "p", roles: ["admin"] },
      { visibility: "private" },
    ],
  ])("an image is not found by %s, and its bytes are not given either", async (_who, context, document) => {
    const id = glance.add(CONTENT, document);
    const { service, show } = images().as(context, id);
    await expect(show()).rejects.toMatchObject(NOT_FOUND);
    await expect(service.openRange(id, 0)).rejects.toMatchObject(NOT_FOUND);
    await expect(service.getLocation({ ...MEMBER, ...context }, id)).rejects.toMatchObject(NOT_FOUND);
  });

  it("a shared image is seen by who has accepted it, and not by who has been asked only", async () => {
    const id = glance.add(CONTENT, { visibility: "shared" });
    glance.image(id).members.push({ id: "proj-b", status: "accepted" }, { id: "proj-c", status: "pending" });
    expect((await images().as({ project_id: "proj-b" }, id).show()).id).toBe(id);
    await expect(images().as({ project_id: "proj-c" }, id).show()).rejects.toMatchObject(NOT_FOUND);
  });
});

describe("trusted headers", () => {
  beforeEach(() => {
    glance.authentication = "trusted";
  });
  const images = () => deploy({ type: "trusted_headers" });

  it("say who asks", async () => {
    const id = glance.add(CONTENT, { visibility: "private" });
    expect((await images().as({}, id).show()).id).toBe(id);
    expect(glance.requests[0]?.headers).toMatchObject({
      "x-identity-status": "Confirmed",
      "x-user-id": "user-a",
      "x-project-id": "proj-a",
      "x-roles": "member,reader",
    });
  });

  it("leave to Glance what is seen", async () => {
    const id = glance.add(CONTENT, { visibility: "private" });
    await expect(images().as({ project_id: "proj-b" }, id).show()).rejects.toMatchObject(NOT_FOUND);
    expect((await images().as({ project_id: "proj-b", is_admin: true }, id).show()).id).toBe(id);
  });

  it.each([["admin"], ["member,admin"], ["member\r\nX-Roles: admin"]])(
    "make no caller an administrator by role %j",
    async (role) => {
      const id = glance.add(CONTENT, { visibility: "private" });
      const caller = { project_id: "proj-b", roles: ["member", role] };
      await expect(images().as(caller, id).show()).rejects.toMatchObject(NOT_FOUND);
      expect(glance.requests[0]?.headers["x-roles"]).toBe("member");
    },
  );

  it.each<Partial<RequestContext>>([{ user_id: null }, { project_id: null }, { project_id: "a\r\nX-Roles: admin" }])(
    "are not sent for %j",
    async (context) => {
      const id = glance.add(CONTENT);
      await expect(images().as(context, id).show()).rejects.toMatchObject(NOT_AUTHORIZED);
      expect(glance.requests).toEqual([]);
    },
  );
});

describe("the caller's own token", () => {
  beforeEach(() => {
    glance.authentication = "token";
    glance.tokens.set("tok-a", "proj-a");
  });
  const images = () =>
    deploy(
      { type: "passed_token" },
      new MemorySecrets({ "cinderless/tokens/a": { token: "tok-a" }, "other/password": { token: "s3cr3t" } }),
    );

  it("is read from the secret that the request names", async () => {
    const id = glance.add(CONTENT, { visibility: "private" });
    expect((await images().as({ auth_secret: "cinderless/tokens/a" }, id).show()).id).toBe(id);
  });

  it.each([undefined, null, "other/password", "cinderless/tokensx/a", "/cinderless/tokens/a"])(
    "is not read from %j, and nothing is sent",
    async (auth_secret) => {
      const deployed = images();
      const id = glance.add(CONTENT);
      const caller = auth_secret === undefined ? {} : { auth_secret };
      await expect(deployed.as(caller, id).show()).rejects.toMatchObject(NOT_AUTHORIZED);
      expect(deployed.secrets.reads).toEqual([]);
      expect(glance.requests).toEqual([]);
    },
  );

  it("that was replaced in the meantime is read again, once", async () => {
    const deployed = images();
    const id = glance.add(CONTENT);
    const caller = { auth_secret: "cinderless/tokens/a" };
    await deployed.as(caller, id).show();
    glance.tokens.clear();
    glance.tokens.set("tok-b", "proj-a");
    deployed.secrets.values["cinderless/tokens/a"] = { token: "tok-b" };
    expect((await deployed.as(caller, id).show()).id).toBe(id);
    expect(deployed.secrets.reads.filter(({ renewed }) => renewed)).toHaveLength(1);
  });

  it("that is refused twice is not authorised", async () => {
    glance.tokens.clear();
    const id = glance.add(CONTENT);
    await expect(images().as({ auth_secret: "cinderless/tokens/a" }, id).show()).rejects.toMatchObject(NOT_AUTHORIZED);
    expect(glance.requests).toHaveLength(2);
  });

  it.each<[string, unknown]>([
    ["is gone", undefined],
    ["is of another form", { tokem: "s3cr3t" }],
    ["cannot be a header", { token: "s3cr3t\n\u2603" }],
  ])("whose secret %s is a failed connection that shows nothing of it", async (_what, value) => {
    const secrets = new MemorySecrets(value === undefined ? {} : { "cinderless/tokens/a": value });
    const id = glance.add(CONTENT);
    const failure = deploy({ type: "passed_token" }, secrets).as({ auth_secret: "cinderless/tokens/a" }, id).show();
    await expect(failure).rejects.toMatchObject({ ...NO_CONNECTION, message: expect.not.stringContaining("s3cr3t") });
  });
});

describe("a fixed token", () => {
  it("asks as the service, so that what the caller may see is decided here", async () => {
    glance.authentication = "token";
    glance.tokens.set("fixed", "admin");
    const images = deploy({ type: "fixed_token", secret: "token" }, new MemorySecrets({ token: { token: "fixed" } }));
    const id = glance.add(CONTENT, { visibility: "private" });
    expect((await images.as({}, id).show()).id).toBe(id);
    await expect(images.as({ project_id: "proj-b" }, id).show()).rejects.toMatchObject(NOT_FOUND);
  });
});

describe("Keystone", () => {
  beforeEach(() => {
    glance.authentication = "token";
  });
  const password = (value = "right") =>
    deploy(
      { type: "password", auth_url: keystone.url, username: "cinder", project_name: "service", secret: "cinder" },
      new MemorySecrets({ cinder: { password: value } }),
    );

  it("gives a token for a password, in a project", async () => {
    const id = glance.add(CONTENT);
    expect((await password().as({}, id).show()).id).toBe(id);
    expect(keystone.bodies).toEqual([
      {
        auth: {
          identity: {
            methods: ["password"],
            password: { user: { name: "cinder", domain: { name: "Default" }, password: "right" } },
          },
          scope: { project: { name: "service", domain: { name: "Default" } } },
        },
      },
    ]);
  });

  it.each(["", "/", "/v3", "/v3/"])("is found at its address with %j behind it", async (path) => {
    const id = glance.add(CONTENT);
    const images = deploy(
      { type: "application_credential", auth_url: `${keystone.url}${path}`, secret: "credential" },
      new MemorySecrets({ credential: { id: "cred", secret: "right" } }),
    );
    expect((await images.as({}, id).show()).id).toBe(id);
  });

  it("gives a token for an application credential, which names no scope", async () => {
    const id = glance.add(CONTENT);
    const images = deploy(
      { type: "application_credential", auth_url: keystone.url, secret: "credential" },
      new MemorySecrets({ credential: { id: "cred", secret: "right" } }),
    );
    expect((await images.as({}, id).show()).id).toBe(id);
    expect(keystone.bodies[0]?.auth.scope).toBeUndefined();
  });

  it("is asked once for all callers, also at the same time", async () => {
    const images = password();
    const id = glance.add(CONTENT);
    await Promise.all([images.as({}, id).show(), images.as({ project_id: "proj-b" }, id).show()]);
    await images.as({}, id).show();
    expect(keystone.given).toHaveLength(1);
  });

  it("is asked again before its token expires", async () => {
    keystone.tokenSeconds = 60;
    const images = password();
    const id = glance.add(CONTENT);
    await images.as({}, id).show();
    await images.as({}, id).show();
    expect(keystone.given).toHaveLength(2);
  });

  it("is asked again when Glance refuses the token, also between two ranges", async () => {
    const id = glance.add(CONTENT);
    const { service, show } = password().as({}, id);
    await show();
    glance.tokens.delete(keystone.given[0] ?? "");
    expect((await service.openRange(id, 5)).totalSize).toBe(CONTENT.length);
    expect(keystone.given).toHaveLength(2);
  });

  it("that refuses the password is a failed connection, which does not show it", async () => {
    const id = glance.add(CONTENT);
    await expect(password("wr0ng").as({}, id).show()).rejects.toMatchObject({
      ...NO_CONNECTION,
      message: expect.stringMatching(/^(?!.*wr0ng).*answered 401/),
    });
  });

  it("that is not there is a failed connection", async () => {
    const images = password();
    const id = glance.add(CONTENT);
    await keystone.stop();
    await expect(images.as({}, id).show()).rejects.toMatchObject(NO_CONNECTION);
    keystone = await FakeKeystone.start();
  });
});
