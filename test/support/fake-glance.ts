import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const CAPTURED = new URL("../data/glance/", import.meta.url);

/** A captured answer: its status, the headers that do not depend on the content, and its body. */
function captured(name: string): { status: number; headers: Record<string, string>; body: Buffer } {
  const [statusLine = "", ...lines] = readFileSync(new URL(`${name}.headers`, CAPTURED), "latin1").split(/\r?\n/);
  const pairs = lines.filter((line) => line.includes(": ")).map((line) => line.split(": ") as [string, string]);
  const kept = pairs.filter(([key]) => !/^(content-length|date)$/i.test(key));
  const body = ["body", "json"].map((kind) => new URL(`${name}.${kind}`, CAPTURED)).flatMap((url) => readIfThere(url));
  return { status: Number(statusLine.split(" ")[1]), headers: Object.fromEntries(kept), body: Buffer.concat(body) };
}

function readIfThere(url: URL): Buffer[] {
  try {
    return [readFileSync(url)];
  } catch {
    return [];
  }
}

function capturedDocument(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(`${name}.json`, CAPTURED), "utf8")) as Record<string, unknown>;
}

/** One thing that goes wrong, once, in place of the answer. */
export type GlanceFault =
  | { status: number; headers?: Record<string, string> }
  /** Takes the request and says nothing. */
  | "silent"
  /** Closes the connection. */
  | "hang up"
  /** 200 with a page of HTML, as a proxy has it. */
  | "html"
  /** Sends half of the body, then nothing. */
  | "stall"
  /** Sends half of the body, then closes the connection. */
  | "cut";

/** The fake's view of a request. */
export type GlanceRequest = { path: string; headers: IncomingMessage["headers"] };

type StoredImage = { document: Record<string, unknown>; content: Buffer; members: { id: string; status: string }[] };

/**
 * Glance v2 made of captured answers (Glance 25.1): a server on loopback, with a switch for each way it can go wrong. `authentication`
 * selects the accepted requests, like Glance's pipeline: `none` makes every caller an administrator, `trusted` reads the headers that
 * keystonemiddleware sets, `token` looks up the caller in `tokens`.
 */
export class FakeGlance {
  readonly requests: GlanceRequest[] = [];
  readonly images = new Map<string, StoredImage>();
  authentication: "none" | "trusted" | "token" = "none";
  /** Project by token; `admin` sees everything. */
  readonly tokens = new Map<string, string>();
  /** The answer to a Range: 206 from the file store, 400 from others, 200 from a proxy without ranges. */
  ranges: "answered" | "refused" | "ignored" = "answered";
  /** Path that the API is below. */
  prefix = "";
  /** Whether images show their locations. */
  locations = false;
  readonly #faults: { fault: GlanceFault; path: RegExp }[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeGlance> {
    const server = createServer((request, response) => fake.#serve(request, response));
    const fake = new FakeGlance(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${this.prefix}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  /** The next request whose path matches goes wrong so; several are used in their order. */
  fail(fault: GlanceFault, path = /./): void {
    this.#faults.push({ fault, path });
  }

  /** Puts an active raw image; `overrides` are keys of its document. Returns its id. */
  add(content: Buffer, overrides: Record<string, unknown> = {}): string {
    const id = randomUUID();
    const template = capturedDocument("image-raw-active");
    const url = `file:///var/lib/glance/images/${id}`;
    const document = {
      ...template,
      id,
      size: content.length,
      virtual_size: content.length,
      checksum: createHash("md5").update(content).digest("hex"),
      os_hash_value: createHash("sha512").update(content).digest("hex"),
      min_disk: 0,
      self: `/v2/images/${id}`,
      file: `/v2/images/${id}/file`,
      direct_url: url,
      locations: [{ url, metadata: { store: "fast" } }],
      ...overrides,
    };
    this.images.set(id, { document, content, members: [] });
    return id;
  }

  /** Changes keys of an image's document. */
  change(id: string, overrides: Record<string, unknown>): void {
    Object.assign(this.image(id).document, overrides);
  }

  image(id: string): StoredImage {
    const found = this.images.get(id);
    if (found === undefined) {
      throw new Error(`the fake has no image ${id}`);
    }
    return found;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? "";
    this.requests.push({ path, headers: request.headers });
    const index = this.#faults.findIndex((each) => each.path.test(path));
    const fault = index === -1 ? undefined : this.#faults.splice(index, 1)[0]?.fault;
    if (fault === "silent") {
      return;
    }
    if (fault === "hang up") {
      request.socket.destroy();
      return;
    }
    if (fault === "html") {
      response.writeHead(200, { "Content-Type": "text/html" }).end("<html><h1>Welcome</h1></html>");
      return;
    }
    if (typeof fault === "object") {
      response.writeHead(fault.status, fault.headers).end("<html><h1>Out of order</h1></html>");
      return;
    }
    this.#answer(path.slice(this.prefix.length), request, response, fault);
  }

  #answer(path: string, request: IncomingMessage, response: ServerResponse, fault: "stall" | "cut" | undefined): void {
    const project = this.#projectOf(request);
    if (project === undefined) {
      return send(response, captured("image-401-no-identity"));
    }
    const [, id = "", rest] = /^\/v2\/images\/([^/]+)(?:\/(file|members))?$/.exec(path) ?? [];
    const image = this.images.get(id);
    if (image === undefined || !this.#isVisible(image, project)) {
      return send(response, captured("image-404"));
    }
    if (rest === "file") {
      return this.#sendFile(image, project, request, response, fault);
    }
    const { direct_url: _url, locations: _locations, ...hidden } = image.document;
    const members = image.members.map((member) => ({ member_id: member.id, image_id: id, status: member.status }));
    const document = rest === "members" ? { members, schema: "/v2/schemas/members" } : hidden;
    const body = Buffer.from(JSON.stringify(this.locations && rest === undefined ? image.document : document));
    sendBody(response, 200, { "Content-Type": "application/json" }, body, fault);
  }

  #projectOf({ headers }: IncomingMessage): string | undefined {
    if (this.authentication === "none") {
      return "admin";
    }
    if (this.authentication === "token") {
      return this.tokens.get(String(headers["x-auth-token"]));
    }
    if (headers["x-identity-status"] !== "Confirmed") {
      return undefined;
    }
    return String(headers["x-roles"]).split(",").includes("admin") ? "admin" : String(headers["x-project-id"]);
  }

  #isVisible({ document, members }: StoredImage, project: string): boolean {
    return (
      project === "admin" ||
      document["owner"] === project ||
      ["public", "community"].includes(String(document["visibility"])) ||
      (document["visibility"] === "shared" && members.some(({ id }) => id === project))
    );
  }

  #sendFile(
    { document, content }: StoredImage,
    project: string,
    request: IncomingMessage,
    response: ServerResponse,
    fault: "stall" | "cut" | undefined,
  ): void {
    if (document["status"] === "queued") {
      return send(response, captured("file-queued-204"));
    }
    if (document["status"] === "deactivated" && project !== "admin") {
      return send(response, captured("file-deactivated-403"));
    }
    const md5 = { "Content-Md5": String(document["checksum"]), "Content-Type": "application/octet-stream" };
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    if (first === undefined || this.ranges === "ignored") {
      return sendBody(response, 200, md5, content, fault);
    }
    if (this.ranges === "refused") {
      return send(response, captured("file-range-multi"));
    }
    if (Number(first) >= content.length) {
      return send(response, captured("file-range-416"));
    }
    const end = Math.min(last === "" ? content.length - 1 : Number(last), content.length - 1);
    const range = { "Content-Range": `bytes ${first}-${end}/${content.length}` };
    return sendBody(response, 206, { ...md5, ...range }, content.subarray(Number(first), end + 1), fault);
  }
}

function send(response: ServerResponse, { status, headers, body }: ReturnType<typeof captured>): void {
  sendBody(response, status, headers, body, undefined);
}

function sendBody(
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  body: Buffer,
  fault: "stall" | "cut" | undefined,
): void {
  response.writeHead(status, { ...headers, ...(status === 204 ? {} : { "Content-Length": body.length }) });
  if (fault === undefined) {
    response.end(body);
    return;
  }
  response.write(body.subarray(0, Math.ceil(body.length / 2)), () => {
    if (fault === "cut") {
      response.destroy();
    }
  });
}

/** Common part of Keystone's password and application credential requests. */
type AuthBody = {
  auth: {
    identity: {
      methods: string[];
      password?: { user: { name: string; domain: { name: string }; password: string } };
      application_credential?: { id: string; secret: string };
    };
    scope?: unknown;
  };
};

/** Keystone v3 as far as tokens: each is new, and valid for as long as `tokenSeconds` says. */
export class FakeKeystone {
  readonly bodies: AuthBody[] = [];
  /** Tokens that were given. */
  readonly given: string[] = [];
  tokenSeconds = 3600;
  /** Called with each token; a test hands it to its Glance. */
  onToken: (token: string) => void = () => {};
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeKeystone> {
    const server = createServer((request, response) => void fake.#serve(request, response));
    const fake = new FakeKeystone(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const piece of request) {
      text += String(piece);
    }
    const body = JSON.parse(text) as AuthBody;
    this.bodies.push(body);
    const { identity, scope } = body.auth;
    // A credential has its project; who asks for a scope with one is refused.
    const isGood =
      identity.password?.user.password === "right" ||
      (identity.application_credential?.secret === "right" && scope === undefined);
    if (!isGood || !/^\/v3\/auth\/tokens(\?|$)/.test(request.url ?? "")) {
      response.writeHead(401, { "Content-Type": "application/json" }).end('{"error":{"code":401}}');
      return;
    }
    const token = `token-${this.given.length + 1}-${randomUUID()}`;
    this.given.push(token);
    this.onToken(token);
    const expires = new Date(Date.now() + this.tokenSeconds * 1000).toISOString();
    response
      .writeHead(201, { "Content-Type": "application/json", "X-Subject-Token": token })
      .end(JSON.stringify({ token: { methods: identity.methods, expires_at: expires } }));
  }
}
