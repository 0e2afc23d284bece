import { setTimeout as delay } from "node:timers/promises";
import { GLANCE_USER, KEYSTONE_ADMIN } from "./openstack.ts";
import type { Running } from "./server-process.ts";

/** Just enough of the APIs of Keystone and Glance to make what the scenarios need. */

/** Headers that say who asks. */
export type Who = Record<string, string>;

async function call(
  url: string,
  method: string,
  headers: Who,
  body?: unknown,
): Promise<{ headers: Headers; body: Record<string, unknown> }> {
  const isBytes = body instanceof Uint8Array;
  const answer = await fetch(url, {
    method,
    headers: { "Content-Type": isBytes ? "application/octet-stream" : "application/json", ...headers },
    ...(body === undefined ? {} : { body: isBytes ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) {
    throw new Error(`${method} ${new URL(url).pathname} answered ${answer.status}: ${text.slice(0, 300)}`);
  }
  const isJson = answer.headers.get("Content-Type")?.includes("json") === true && text !== "";
  return { headers: answer.headers, body: isJson ? (JSON.parse(text) as Record<string, unknown>) : {} };
}

/** Images of a Glance. */
export class GlanceClient {
  readonly #url: string;

  constructor({ url }: Running) {
    this.#url = `${url}/v2/images`;
  }

  /** Waits until a Glance that has just started has found its Keystone, and takes the caller's token. */
  async ready(who: Who): Promise<void> {
    const until = Date.now() + 30_000;
    for (;;) {
      try {
        await call(this.#url, "GET", who);
        return;
      } catch (error) {
        if (Date.now() > until) {
          throw error;
        }
        await delay(200);
      }
    }
  }

  /** Creates an image and uploads its bytes; returns its id. */
  async upload(who: Who, image: Record<string, unknown>, content: Uint8Array): Promise<string> {
    const { body } = await call(this.#url, "POST", who, { container_format: "bare", visibility: "private", ...image });
    const id = String(body["id"]);
    await call(`${this.#url}/${id}/file`, "PUT", who, content);
    return id;
  }

  async act(who: Who, id: string, action: "deactivate" | "reactivate"): Promise<void> {
    await call(`${this.#url}/${id}/actions/${action}`, "POST", who);
  }

  async delete(who: Who, id: string): Promise<void> {
    await call(`${this.#url}/${id}`, "DELETE", who);
  }

  /** Shares an image with a project, which does not see it before it has accepted. */
  async share(who: Who, id: string, project: string): Promise<void> {
    await call(`${this.#url}/${id}/members`, "POST", who, { member: project });
  }

  async accept(who: Who, id: string, project: string): Promise<void> {
    await call(`${this.#url}/${id}/members/${project}`, "PUT", who, { status: "accepted" });
  }
}

/** A user with a project of its own. */
export type Account = { userId: string; projectId: string; token: string };

/** Identities of a Keystone. */
export class KeystoneClient {
  readonly #url: string;
  #admin: Who = {};

  constructor({ url }: Running) {
    this.#url = `${url}/v3`;
  }

  /** Signs in as administrator, and makes the user as whom Glance checks tokens. */
  async prepare(): Promise<void> {
    const { token } = await this.signIn(KEYSTONE_ADMIN.user, KEYSTONE_ADMIN.password, KEYSTONE_ADMIN.project);
    this.#admin = { "X-Auth-Token": token };
    await this.account(GLANCE_USER.user, GLANCE_USER.password, GLANCE_USER.project, ["admin"]);
  }

  /** Makes a user and its project, with these roles in it, and signs in as it. */
  async account(name: string, password: string, project: string, roles: readonly string[]): Promise<Account> {
    const id = async (path: string, kind: string, value: unknown): Promise<string> => {
      const { body } = await call(`${this.#url}/${path}`, "POST", this.#admin, { [kind]: value });
      return (body[kind] as { id: string }).id;
    };
    const projectId = await id("projects", "project", { name: project, domain_id: "default" });
    const userId = await id("users", "user", { name, password, domain_id: "default" });
    const { body } = await call(`${this.#url}/roles`, "GET", this.#admin);
    for (const role of body["roles"] as { id: string; name: string }[]) {
      if (roles.includes(role.name)) {
        await call(`${this.#url}/projects/${projectId}/users/${userId}/roles/${role.id}`, "PUT", this.#admin);
      }
    }
    const { token } = await this.signIn(name, password, project);
    return { userId, projectId, token };
  }

  /** Adds a service with its endpoints to the catalog. */
  async endpoint(type: string, name: string, url: string): Promise<void> {
    const { body } = await call(`${this.#url}/services`, "POST", this.#admin, { service: { type, name } });
    const { id: serviceId } = body["service"] as { id: string };
    for (const kind of ["public", "internal", "admin"]) {
      const endpoint = { service_id: serviceId, interface: kind, url, region_id: "RegionOne" };
      await call(`${this.#url}/endpoints`, "POST", this.#admin, { endpoint });
    }
  }

  async signIn(user: string, password: string, project: string): Promise<{ token: string }> {
    const domain = { id: "default" };
    const identity = { methods: ["password"], password: { user: { name: user, domain, password } } };
    const answer = await call(
      `${this.#url}/auth/tokens`,
      "POST",
      {},
      {
        auth: { identity, scope: { project: { name: project, domain } } },
      },
    );
    return { token: answer.headers.get("X-Subject-Token") ?? "" };
  }

  async applicationCredential({ userId, token }: Account): Promise<{ id: string; secret: string }> {
    const { body } = await call(
      `${this.#url}/users/${userId}/application_credentials`,
      "POST",
      { "X-Auth-Token": token },
      { application_credential: { name: "cinderless" } },
    );
    return body["application_credential"] as { id: string; secret: string };
  }

  async revoke(token: string): Promise<void> {
    await call(`${this.#url}/auth/tokens`, "DELETE", { ...this.#admin, "X-Subject-Token": token });
  }
}
