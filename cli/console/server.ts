import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { explainError } from "../errors.ts";
import { refusalOf, SAFE_HEADERS } from "./guard.ts";
import type { Answer, Routes } from "./routes.ts";

/** A file of the page, with its media type. */
export type PageFile = { type: string; content: string | Uint8Array };

/** Dependencies of the server. */
export type ConsoleServerOptions = {
  /** 0: any that is free. */
  port: number;
  /** The token that gives access to the console: at least 128 random bits. */
  token: string;
  /** By their paths; `/` is the page. */
  files: ReadonlyMap<string, PageFile>;
  routes: Routes;
};

/** A server that listens. */
export type ConsoleServer = { port: number; close(): Promise<void> };

/** Errors that are not failures of the deployment, by the status that HTTP has for them. */
const STATUSES: Readonly<Record<string, number>> = {
  VolumeNotFound: 404,
  DeadLetterNotFound: 404,
  InvalidInput: 400,
  InvalidVolume: 409,
  FenceLost: 409,
  ConnectionError: 503,
};

/**
 * Serves the console on the loopback interface.
 *
 * @throws Error of the operating system when the port is in use
 */
export async function startConsoleServer({ port, token, files, routes }: ConsoleServerOptions): Promise<ConsoleServer> {
  const server = createServer((request, response) => {
    const { method = "GET" } = request;
    // The body of a request says nothing here.
    request.resume();
    const refusal = refusalOf(request, portOf(server), token);
    if (refusal !== undefined) {
      sendError(response, refusal.status, { name: "Refused", message: refusal.message, hint: null });
      return;
    }
    const url = urlOf(request);
    if (url?.pathname.startsWith("/api/") === true) {
      void answerApi(request, response, () => routes(method, url));
      return;
    }
    const file = url === undefined ? undefined : files.get(url.pathname);
    if (file === undefined || (method !== "GET" && method !== "HEAD")) {
      sendError(response, 404, { name: "NotFound", message: "there is no such page", hint: null });
      return;
    }
    send(response, 200, file.type, file.content, {});
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: portOf(server),
    close: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Undefined for a value that is not a path, such as `//`, which would name a host. */
function urlOf({ url = "/" }: IncomingMessage): URL | undefined {
  return URL.parse(`http://console${url.startsWith("/") ? url : "/"}`) ?? undefined;
}

async function answerApi(
  { headers }: IncomingMessage,
  response: ServerResponse,
  answer: () => Promise<Answer | undefined>,
): Promise<void> {
  try {
    const found = await answer();
    if (found === undefined) {
      sendError(response, 404, { name: "NotFound", message: "the console has no such thing", hint: null });
      return;
    }
    const tag = found.version === undefined ? undefined : `"${found.version}"`;
    if (tag !== undefined && headers["if-none-match"] === tag) {
      response.writeHead(304, { ...SAFE_HEADERS, ETag: tag }).end();
      return;
    }
    send(response, 200, JSON_TYPE, JSON.stringify(found.body), tag === undefined ? {} : { ETag: tag });
  } catch (error) {
    const { name, message, hint } = explainError(error);
    sendError(response, Object.hasOwn(STATUSES, name) ? (STATUSES[name] ?? 502) : 502, { name, message, hint });
  }
}

const JSON_TYPE = "application/json; charset=utf-8";

function sendError(
  response: ServerResponse,
  status: number,
  error: { name: string; message: string; hint: string | null },
): void {
  send(response, status, JSON_TYPE, JSON.stringify({ error }), {});
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  content: string | Uint8Array,
  headers: Record<string, string>,
): void {
  response.writeHead(status, {
    ...SAFE_HEADERS,
    ...headers,
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(content),
  });
  response.end(content);
}
