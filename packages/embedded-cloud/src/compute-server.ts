import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { notEmulated } from "./not-emulated.ts";
import { listen, readBody, stopServer } from "./local-server.ts";
import { startFailure } from "./parts/part-thread.ts";
import { guardServer } from "./request-guard.ts";

/** An API's answer; `body` is JSON text. */
export interface ApiResponse {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Answers a request; `undefined` when it does not belong to this API. */
export type Api = (request: ApiRequest) => Promise<ApiResponse> | ApiResponse | undefined;

export interface ComputeServer {
  readonly endpoint: string;
  stop(): Promise<void>;
}

const KEEP_ALIVE_MILLISECONDS = 65_000;

/** Largest accepted request; Lambda's synchronous payload is 6 MB. */
const MAXIMUM_BODY_BYTES = 7 * 1024 * 1024;

/** The Step Functions and Lambda APIs on one port of 127.0.0.1. It answers requests for any other service with NotEmulated. */
export async function startComputeServer(port: number, apis: readonly Api[]): Promise<ComputeServer> {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MILLISECONDS }, (request, response) => {
    void serve(request, response, apis);
  });
  guardServer(server);
  try {
    const address = await listen(server, port);
    return {
      endpoint: `http://127.0.0.1:${address.port}`,
      stop: () => stopServer(server),
    };
  } catch (error) {
    throw startFailure("Step Functions and Lambda", port, error);
  }
}

async function serve(request: IncomingMessage, response: ServerResponse, apis: readonly Api[]): Promise<void> {
  const { status, body, headers } = await answer(request, apis).catch((error: Error) =>
    failure(500, "ServiceException", error.message),
  );
  response.writeHead(status, {
    "Content-Type": "application/x-amz-json-1.0",
    "Content-Length": Buffer.byteLength(body),
    "x-amzn-RequestId": randomUUID(),
    ...headers,
  });
  response.end(body);
}

async function answer(request: IncomingMessage, apis: readonly Api[]): Promise<ApiResponse> {
  const body = (await readBody(request, MAXIMUM_BODY_BYTES))?.toString();
  if (body === undefined)
    return failure(413, "RequestTooLargeException", `Request must be smaller than ${MAXIMUM_BODY_BYTES} bytes`);
  const url = new URL(request.url ?? "/", "http://127.0.0.1");
  const { method = "GET", headers } = request;
  const asked: ApiRequest = { method, path: url.pathname, query: url.searchParams, headers, body };
  for (const api of apis) {
    const response = api(asked);
    if (response) return response;
  }
  return notEmulated(asked);
}

/** An error in the form that AWS SDKs read, in JSON and REST protocols alike. */
export function failure(status: number, type: string, message: string): ApiResponse {
  return {
    status,
    body: JSON.stringify({ __type: type, message, Message: message }),
    headers: { "x-amzn-ErrorType": type },
  };
}
