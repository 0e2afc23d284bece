import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Handler } from "aws-lambda";
import { apiRoutes } from "../core/api/routes.ts";
import { serve, type ServeDependencies } from "../core/api/serve.ts";
import type { ApiRequest, ApiResponse } from "../core/api/http.ts";
import type { ApiDependencies } from "../core/api/dependencies.ts";
import {
  api,
  authenticator,
  backends,
  bounds,
  locks,
  newId,
  projects,
  snapshots,
  userVolumes,
  volumeTypes,
} from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { leavingError } from "./runtime/leaving-error.ts";
import { logger } from "./runtime/logger.ts";

export const ports = {
  backends: backends("get", "isGivenBack", "list", "release", "setDisabled", "settle"),
  locks: locks("of", "put", "remove"),
  projects: projects(
    "cancel",
    "claimName",
    "confirm",
    "enter",
    "findName",
    "giveBack",
    "leave",
    "list",
    "listAll",
    "quota",
    "readTogether",
    "releaseName",
    "removeEntry",
    "rename",
    "reserve",
    "setLimits",
  ),
  snapshots: snapshots(
    "beginDelete",
    "changeDetails",
    "create",
    "forgetLock",
    "get",
    "getMany",
    "listOfVolume",
    "markError",
    "resetStatus",
  ),
  volumeTypes: volumeTypes("change", "create", "delete", "get", "getByName", "getMany", "list"),
  volumes: userVolumes(
    "beginDelete",
    "beginExtend",
    "changeAttachments",
    "changeDetails",
    "changeType",
    "create",
    "forgetLock",
    "get",
    "getMany",
    "listSummaries",
    "requestDelete",
    "resetStatus",
  ),
} satisfies PortsOf<ApiDependencies>;

/** Made for each request: a table of some eighty entries, whose ports the composition root keeps. */
function dependencies(): ServeDependencies {
  return {
    routes: apiRoutes({ ...made(ports), ...api(), ...bounds() }),
    authenticator: authenticator(),
    newId,
    reportFailure,
  };
}

function reportFailure(requestId: string, error: unknown): void {
  const { name, message, stack } = leavingError(error);
  logger.error("request failed", { request_id: requestId, error: name, cause: message, stack });
}

/**
 * Answers the requests of an HTTP API (payload format 2.0). Never fails: a request that cannot be answered gets a 500 with its request
 * id, under which the log has the reason.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
export const handler: Handler<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2> = async (event) =>
  resultOf(await serve(dependencies(), requestOf(event)));

function requestOf(event: APIGatewayProxyEventV2): ApiRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(event.headers)) {
    if (value !== undefined) {
      headers[name.toLowerCase()] = value;
    }
  }
  const body = event.body ?? "";
  return {
    method: event.requestContext.http.method,
    path: event.rawPath,
    query: new URLSearchParams(event.rawQueryString),
    headers,
    body: event.isBase64Encoded ? Buffer.from(body, "base64").toString("utf8") : body,
  };
}

function resultOf({ status, headers, body }: ApiResponse): APIGatewayProxyStructuredResultV2 {
  return { statusCode: status, headers: { ...headers }, body: body === null ? "" : JSON.stringify(body) };
}
