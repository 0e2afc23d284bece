import { failure } from "../compute-server.ts";
import type { Api, ApiResponse } from "../compute-server.ts";
import type { JsonObject } from "../json.ts";
import type { AsynchronousInvocations } from "./asynchronous-invocations.ts";
import type { FunctionDefinition } from "./function-definition.ts";
import type { FunctionEmulator } from "./function-emulator.ts";

const MAXIMUM_SYNCHRONOUS_BYTES = 6 * 1024 * 1024;
const MAXIMUM_ASYNCHRONOUS_BYTES = 1024 * 1024;

/** Lambda's Invoke, GetFunction, GetFunctionConfiguration and ListFunctions: enough for clients and for AWS Step Functions Local. */
export function createLambdaApi(functions: FunctionEmulator, asynchronous: AsynchronousInvocations): Api {
  return (request) => {
    const match = /^\/2015-03-31\/functions(?:\/([^/]+)(?:\/(invocations|configuration))?)?\/?$/.exec(request.path);
    if (!match) return undefined;
    const [, encodedName, section] = match;
    if (encodedName === undefined) {
      return json(200, { Functions: functions.list().map(configurationOf) });
    }
    const name = decodeURIComponent(encodedName);
    const definition = functions.find(name);
    if (!definition) return failure(404, "ResourceNotFoundException", `Function not found: ${name}`);
    if (section === "invocations") {
      const type = request.headers["x-amz-invocation-type"] ?? "RequestResponse";
      return invoke(definition, String(type), request.body || "{}", functions, asynchronous);
    }
    const configuration = configurationOf(definition);
    return json(
      200,
      section === "configuration" ? configuration : { Configuration: configuration, Code: { RepositoryType: "S3" } },
    );
  };
}

async function invoke(
  definition: FunctionDefinition,
  type: string,
  payload: string,
  functions: FunctionEmulator,
  asynchronous: AsynchronousInvocations,
): Promise<ApiResponse> {
  const limit = type === "Event" ? MAXIMUM_ASYNCHRONOUS_BYTES : MAXIMUM_SYNCHRONOUS_BYTES;
  if (Buffer.byteLength(payload) > limit) {
    return failure(
      413,
      "RequestTooLargeException",
      `Request must be smaller than ${limit} bytes for the InvokeFunction operation`,
    );
  }
  try {
    JSON.parse(payload);
  } catch (error) {
    return failure(
      400,
      "InvalidRequestContentException",
      `Could not parse request body into json: ${(error as Error).message}`,
    );
  }
  switch (type) {
    case "DryRun":
      return { status: 204, body: "" };
    case "Event":
      void asynchronous.invoke(definition.name, payload);
      return { status: 202, body: "" };
    case "RequestResponse": {
      const outcome = await functions.invoke(definition.name, payload);
      if (outcome.kind === "throttled") return failure(429, "TooManyRequestsException", "Rate Exceeded.");
      const headers = {
        "Content-Type": "application/json",
        "X-Amz-Executed-Version": "$LATEST",
        ...(outcome.kind === "failed" ? { "X-Amz-Function-Error": "Unhandled" } : {}),
      };
      return { status: 200, body: outcome.payload, headers };
    }
    default:
      return failure(
        400,
        "InvalidParameterValueException",
        `Invocation type ${type} is not supported by the embedded cloud`,
      );
  }
}

function configurationOf(definition: FunctionDefinition): JsonObject {
  return {
    FunctionName: definition.name,
    FunctionArn: definition.arn,
    Runtime: definition.runtime,
    Handler: definition.handler,
    Description: definition.description,
    Timeout: definition.timeoutSeconds,
    MemorySize: definition.memorySizeMib,
    Environment: { Variables: { ...definition.environment } },
    Version: "$LATEST",
    PackageType: "Zip",
    State: "Active",
    LastUpdateStatus: "Successful",
    Role: "arn:aws:iam::000000000000:role/embedded",
  };
}

function json(status: number, body: JsonObject): ApiResponse {
  return { status, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}
