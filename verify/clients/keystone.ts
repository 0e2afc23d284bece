import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** Everything that the fake Keystone knows: one user, one project, one service. */
export const PROJECT_ID = "0a0a0a0a0a0a4a0a8a0a0a0a0a0a0a0a";
const USER_ID = "0d0d0d0d0d0d4d0d8d0d0d0d0d0d0d0d";
const TOKEN = "the-token-of-this-run";
const DOMAIN = { id: "default", name: "Default" };

/** Variables by which OpenStack's clients log in there. */
export function variablesFor(keystoneUrl: string): Record<string, string> {
  return {
    OS_AUTH_URL: keystoneUrl,
    OS_USERNAME: "admin",
    OS_PASSWORD: "any",
    OS_PROJECT_NAME: "demo",
    OS_PROJECT_ID: PROJECT_ID,
    OS_USER_DOMAIN_NAME: DOMAIN.name,
    OS_PROJECT_DOMAIN_NAME: DOMAIN.name,
    OS_IDENTITY_API_VERSION: "3",
    OS_REGION_NAME: "local",
  };
}

/** A Keystone of one user, so that clients run as they are, with their own authentication and catalog. */
export async function startKeystone(): Promise<{
  url: string;
  /** The only token. */
  token: string;
  offer: (blockStorageUrl: string) => void;
  stop: () => Promise<void>;
}> {
  let blockStorageUrl = "";
  const server = createServer((request, response) => {
    const { status, body, headers = {} } = answerOf(request, url(), blockStorageUrl);
    request.resume();
    request.on("end", () => {
      response.writeHead(status, { "Content-Type": "application/json", ...headers });
      response.end(JSON.stringify(body));
    });
  });
  const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/v3`;
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: url(),
    token: TOKEN,
    offer: (address) => {
      blockStorageUrl = address;
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

type Answer = { status: number; body: unknown; headers?: Record<string, string> };

function answerOf({ method = "", url: target = "", headers }: IncomingMessage, url: string, storage: string): Answer {
  const path = target.split("?")[0]?.replace(/\/$/, "") ?? "";
  const version = { id: "v3.14", status: "stable", links: [{ rel: "self", href: `${url}/` }], "media-types": [] };
  if (path === "") {
    return { status: 300, body: { versions: { values: [version] } } };
  }
  if (path === "/v3") {
    return { status: 200, body: { version } };
  }
  if (path === "/v3/auth/tokens" && method === "POST") {
    return {
      status: 201,
      body: { token: { ...token(), catalog: catalog(storage, url) } },
      headers: { "X-Subject-Token": TOKEN },
    };
  }
  if (headers["x-auth-token"] !== TOKEN) {
    return { status: 401, body: { error: { code: 401, title: "Unauthorized", message: "no such token" } } };
  }
  if (path === "/v3/auth/tokens") {
    return { status: 200, body: { token: token() } };
  }
  const project = { id: PROJECT_ID, name: "demo", domain_id: DOMAIN.id, enabled: true };
  if (path === `/v3/projects/${PROJECT_ID}`) {
    return { status: 200, body: { project } };
  }
  return path === "/v3/projects"
    ? { status: 200, body: { projects: [project] } }
    : { status: 404, body: { error: { code: 404, title: "Not Found", message: path } } };
}

function token(): Record<string, unknown> {
  return {
    methods: ["password"],
    user: { id: USER_ID, name: "admin", domain: DOMAIN },
    project: { id: PROJECT_ID, name: "demo", domain: DOMAIN },
    roles: ["admin", "member", "reader"].map((name) => ({ id: name, name })),
    issued_at: "2026-01-01T00:00:00.000000Z",
    expires_at: "2999-01-01T00:00:00.000000Z",
  };
}

function catalog(storage: string, keystone: string): unknown[] {
  const url = `${storage}/${PROJECT_ID}`;
  const endpoint = { id: "storage", interface: "public", region: "local", region_id: "local", url };
  // Clients also look for servers and images, and work without them.
  const others = ["identity", "image", "compute"].map((type) => ({
    id: type,
    type,
    name: type,
    endpoints: [{ ...endpoint, id: type, url: type === "identity" ? keystone : `${keystone}/nothing/${type}` }],
  }));
  return [
    ...["volumev3", "block-storage"].map((type) => ({ id: type, type, name: type, endpoints: [endpoint] })),
    ...others,
  ];
}
