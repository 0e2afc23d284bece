import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { FunctionEmulator } from "./functions/function-emulator.ts";
import { isJsonObject, textOf } from "./json.ts";
import { listen, readBody, stopServer } from "./local-server.ts";
import { startFailure } from "./parts/part-thread.ts";
import { guardServer } from "./request-guard.ts";

/** The server of the stack's HTTP API (API Gateway v2). */
export interface HttpApiPart {
  readonly endpoint: string;
  /** Names the function that answers every request. */
  route(functionName: string): void;
  stop(): Promise<void>;
}

const KEEP_ALIVE_MILLISECONDS = 65_000;

/** API Gateway's payload limit is 10 MB, and a function's event is at most 6 MB. */
const MAXIMUM_BODY_BYTES = 6 * 1024 * 1024;

/**
 * Serves one HTTP API with a `$default` route on 127.0.0.1: each request becomes an event of payload format 2.0, and the function's result
 * the answer.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
export async function startHttpApi(port: number, functions: FunctionEmulator): Promise<HttpApiPart> {
  let functionName: string | undefined;
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MILLISECONDS }, (request, response) => {
    void serve(request, response, functionName, functions);
  });
  guardServer(server);
  try {
    const address = await listen(server, port);
    return {
      endpoint: `http://127.0.0.1:${address.port}`,
      route: (name) => {
        functionName = name;
      },
      stop: () => stopServer(server),
    };
  } catch (error) {
    throw startFailure("HTTP API", port, error);
  }
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  functionName: string | undefined,
  functions: FunctionEmulator,
): Promise<void> {
  const { status, headers, body } = await answer(request, functionName, functions).catch(() =>
    failure(500, "Internal Server Error"),
  );
  response.writeHead(status, { ...headers, "Content-Length": body.length });
  response.end(request.method === "HEAD" ? undefined : body);
}

interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

async function answer(
  request: IncomingMessage,
  functionName: string | undefined,
  functions: FunctionEmulator,
): Promise<HttpAnswer> {
  // The port is open before the stack is deployed. To a client that waits for a restart, a 404 would mean that something is gone.
  if (functionName === undefined) return failure(503, "Service Unavailable");
  const body = await readBody(request, MAXIMUM_BODY_BYTES);
  if (body === undefined) return failure(413, "Request Entity Too Large");
  const outcome = await functions.invoke(functionName, JSON.stringify(eventOf(request, body)));
  if (outcome.kind === "throttled") return failure(503, "Service Unavailable");
  return outcome.kind === "succeeded" ? answerOf(outcome.payload) : failure(500, "Internal Server Error");
}

/** The event of payload format 2.0. */
function eventOf(request: IncomingMessage, body: Buffer): object {
  const [rawPath = "/", ...query] = (request.url ?? "/").split("?");
  const now = new Date();
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath,
    rawQueryString: query.join("?"),
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : value]),
    ),
    requestContext: {
      accountId: "anonymous",
      apiId: "local",
      domainName: request.headers.host ?? "",
      domainPrefix: "local",
      http: {
        method: request.method ?? "GET",
        path: rawPath,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? "127.0.0.1",
        userAgent: request.headers["user-agent"] ?? "",
      },
      requestId: randomUUID(),
      routeKey: "$default",
      stage: "$default",
      time: now.toISOString(),
      timeEpoch: now.getTime(),
    },
    ...(body.length > 0 ? { body: isText(body) ? body.toString("utf8") : body.toString("base64") } : {}),
    isBase64Encoded: body.length > 0 && !isText(body),
  };
}

function isText(body: Buffer): boolean {
  return Buffer.from(body.toString("utf8"), "utf8").equals(body);
}

/** A result without a status code is the body itself, as in API Gateway. */
function answerOf(payload: string): HttpAnswer {
  const result: unknown = JSON.parse(payload);
  if (!isJsonObject(result) || typeof result["statusCode"] !== "number") {
    return { status: 200, headers: { "content-type": "application/json" }, body: Buffer.from(payload) };
  }
  const { statusCode, headers, body, isBase64Encoded } = result;
  const text = typeof body === "string" ? body : "";
  return {
    status: statusCode,
    headers: Object.fromEntries(
      Object.entries(isJsonObject(headers) ? headers : {}).map(([name, value]) => [name, textOf(value)]),
    ),
    body: Buffer.from(text, isBase64Encoded === true ? "base64" : "utf8"),
  };
}

function failure(status: number, message: string): HttpAnswer {
  return { status, headers: { "content-type": "application/json" }, body: Buffer.from(JSON.stringify({ message })) };
}
