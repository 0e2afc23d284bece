import { describeError } from "../errors.ts";
import type { Authenticator } from "./authentication.ts";
import { ApiError, asApiError, badRequest, faultBody, notFound } from "./errors.ts";
import type { Answer, ApiRequest, ApiResponse, Call, Caller } from "./http.ts";
import { MAXIMUM_MICROVERSION, type Microversion, microversionText, negotiate } from "./microversions.ts";
import { authorize } from "./policies.ts";
import { type Match, matchRoute, type Route } from "./router.ts";
import { isObject, validateBody } from "./validation.ts";
import { versionDocument } from "./versions.ts";

/** Longest body (`osapi_max_request_body_size`, whose default is that of oslo.middleware). */
export const MAX_BODY_BYTES = 114_688;

/** Dependencies of serving, in addition to the routes. */
export type ServeDependencies = {
  routes: readonly Route[];
  authenticator: Authenticator;
  newId: () => string;
  /** Takes what went wrong with a request that is answered with 500. */
  reportFailure: (requestId: string, error: unknown) => void;
};

/**
 * Answers one request as Cinder's API does: size, token, microversion, route, body, project, schema, policy, handler
 * (cinder/api/openstack/wsgi.py, `Resource._process_stack`). Never throws: what no rule foresees is a 500 without its reason.
 */
export async function serve(deps: ServeDependencies, request: ApiRequest): Promise<ApiResponse> {
  const requestId = `req-${deps.newId()}`;
  const response = await respond(deps, request, requestId);
  return { ...response, headers: { ...response.headers, "x-openstack-request-id": requestId } };
}

async function respond(deps: ServeDependencies, request: ApiRequest, requestId: string): Promise<ApiResponse> {
  if (request.path === "/healthcheck") {
    return json(200, { detailed: false, reasons: ["OK"] });
  }
  if (byteLength(request.body) > MAX_BODY_BYTES) {
    return plainError(
      413,
      "Request Entity Too Large",
      `Request is too large. Larger than max_request_body_size (${MAX_BODY_BYTES}).`,
    );
  }
  let version: Microversion | undefined;
  try {
    if (request.path === "/" || request.path === "") {
      version = versionForRoot(request.headers["openstack-api-version"]);
      return answered({ status: 300, body: versionDocument(endpointOf(request)) }, version, requestId);
    }
    if (!/^\/v3(?:\/|$)/.test(request.path)) {
      return NO_RESOURCE;
    }
    const caller = await deps.authenticator.authenticate(request.headers["x-auth-token"], request);
    if (caller === undefined) {
      return unauthorized(deps.authenticator.challenge);
    }
    const match = matchRoute(deps.routes, request.method, request.path, caller.projectId);
    if (match === undefined) {
      return NO_RESOURCE;
    }
    version = negotiate(request.headers["openstack-api-version"]);
    return answered(await handle(match, request, { caller, requestId, version }), version, requestId);
  } catch (error) {
    return failed(deps, error, version, requestId);
  }
}

/**
 * The version document is answered whatever version is asked for: by it a client finds out which one it may ask for. cinderclient asks
 * for its own newest one in this request too.
 */
function versionForRoot(header: string | undefined): Microversion {
  try {
    return negotiate(header);
  } catch {
    return MAXIMUM_MICROVERSION;
  }
}

type Known = { caller: Caller; requestId: string; version: Microversion };

async function handle(match: Match, request: ApiRequest, known: Known): Promise<Answer> {
  const { route } = match;
  const { version, caller } = known;
  if (version < (route.since ?? 0) || version > (route.until ?? Infinity)) {
    throw notFound("The resource could not be found.");
  }
  const body = route.takesBody ? parseBody(request) : undefined;
  if (match.projectId !== undefined && match.projectId !== caller.projectId) {
    throw badRequest("Malformed request url");
  }
  const call: Call = {
    ...known,
    params: match.params,
    query: request.query,
    headers: request.headers,
    body,
    endpoint: endpointOf(request),
    projectInPath: match.projectId !== undefined,
  };
  if (route.schema !== undefined) {
    validateBody(route.schema(version), body);
  }
  if (route.policy !== undefined) {
    authorize(caller, route.policy);
  }
  return route.handler(call);
}

/** @throws ApiError 415 for another type than JSON, 400 for invalid JSON */
function parseBody({ headers, body }: ApiRequest): unknown {
  const type = (headers["content-type"] ?? "application/json").split(";")[0]?.trim().toLowerCase() ?? "";
  if (type !== "application/json" && !/^application\/vnd\.openstack\.volume\+json$/.test(type)) {
    throw new ApiError(415, "Unsupported Content-Type");
  }
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw badRequest("Malformed request body");
  }
  if (isTooDeep(value)) {
    throw badRequest("Malformed request body");
  }
  // An escape of half a character is the only way to text that no store can hold as it is.
  if (/\\u[dD][89a-fA-F]/.test(body)) {
    requireText(value, "body");
  }
  return value;
}

/** @throws ApiError 400 that names the field whose key or value has half of a surrogate pair */
function requireText(value: unknown, field: string): void {
  if (typeof value === "string" && !value.isWellFormed()) {
    throw badRequest(`Invalid input for field/attribute ${field.slice(0, 255)}. It is not valid Unicode.`);
  }
  if (typeof value === "object" && value !== null) {
    for (const [key, each] of Object.entries(value)) {
      requireText(key, field);
      requireText(each, Array.isArray(value) || key.trim() === "" ? field : key);
    }
  }
}

/** Deepest nesting of a body; no schema has more than a few levels. */
const DEEPEST = 32;

function isTooDeep(value: unknown, depth = 0): boolean {
  if (!isObject(value) && !Array.isArray(value)) {
    return false;
  }
  return depth >= DEEPEST || Object.values(value).some((each) => isTooDeep(each, depth + 1));
}

function byteLength(text: string): number {
  return text.length > MAX_BODY_BYTES ? text.length : new TextEncoder().encode(text).length;
}

/** Address under which the caller reached the API, from its proxies' headers. */
function endpointOf({ headers }: ApiRequest): string {
  const host = headers["x-forwarded-host"]?.split(",").at(-1)?.trim() || headers["host"] || "localhost";
  const isSecure = headers["x-forwarded-proto"]?.split(",").at(0)?.trim().toLowerCase() === "https";
  return `${isSecure ? "https" : "http"}://${host}`;
}

function answered({ status, body, headers }: Answer, version: Microversion, requestId: string): ApiResponse {
  return {
    status,
    headers: {
      "Content-Type": "application/json",
      ...(headers?.["Content-Type"] === undefined && { "X-Compute-Request-Id": requestId }),
      ...versionHeaders(microversionText(version)),
      ...headers,
    },
    body: body ?? null,
  };
}

function versionHeaders(text: string): Record<string, string> {
  return { "OpenStack-API-Version": `volume ${text}`, Vary: "OpenStack-API-Version" };
}

function failed(
  deps: ServeDependencies,
  error: unknown,
  version: Microversion | undefined,
  requestId: string,
): ApiResponse {
  const known = asApiError(error);
  if (known === undefined) {
    deps.reportFailure(requestId, error);
  }
  const { status, message } = known ?? {
    status: isThrottled(error) ? 503 : 500,
    message: "The server has either erred or is incapable of performing the requested operation.",
  };
  const shown = known?.details.version ?? (version === undefined ? undefined : microversionText(version));
  return {
    status,
    headers: {
      "Content-Type": "application/json",
      "X-Compute-Request-Id": requestId,
      ...(shown !== undefined && versionHeaders(shown)),
      ...(status === 413 && { "Retry-After": "0" }),
    },
    body: faultBody(status, message),
  };
}

/** Errors of AWS that say that the request may be sent again. */
function isThrottled(error: unknown): boolean {
  return ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"].includes(
    describeError(error).name,
  );
}

/** As Keystone's middleware answers: another shape than all others. */
function unauthorized(challenge: string): ApiResponse {
  const message = "The request you have made requires authentication.";
  const response = json(401, { error: { code: 401, title: "Unauthorized", message } });
  return { ...response, headers: { ...response.headers, "WWW-Authenticate": challenge } };
}

/** As webob answers where no resource does. */
function plainError(status: number, title: string, message: string): ApiResponse {
  return json(status, { message: `${message}<br /><br />\n\n\n`, code: `${status} ${title}`, title });
}

function json(status: number, body: unknown): ApiResponse {
  return { status, headers: { "Content-Type": "application/json" }, body };
}

/** Answer for a missing resource, for every caller. */
const NO_RESOURCE = plainError(404, "Not Found", "The resource could not be found.");
