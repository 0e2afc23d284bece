import { failure } from "../compute-server.ts";
import type { Api, ApiResponse } from "../compute-server.ts";
import { isJsonObject, numberOf } from "../json.ts";
import type { JsonObject } from "../json.ts";
import { ACCOUNT_ID } from "../physical-names.ts";
import { prepareDefinition } from "./asl-definition.ts";
import type { ExecutionStatus, ExecutionView } from "./executions.ts";
import { StatesApiError } from "./state-machines.ts";
import type { StateMachines } from "./state-machines.ts";

const TARGET_PREFIX = "AWSStepFunctions.";
const STATUSES: readonly string[] = ["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"];

type Action = (request: JsonObject) => JsonObject | Promise<JsonObject>;

/** The Step Functions API, as far as clients of a deployed workflow need it; any other action is refused by name. */
export function createStatesApi(stateMachines: StateMachines, region: string): Api {
  const actions = actionsOf(stateMachines, region);
  return ({ headers, body }): Promise<ApiResponse> | ApiResponse | undefined => {
    const target = headers["x-amz-target"];
    if (typeof target !== "string" || !target.startsWith(TARGET_PREFIX)) return undefined;
    const name = target.slice(TARGET_PREFIX.length);
    const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
    if (!action) return failure(400, "UnknownOperationException", `${name} is not supported by the embedded cloud`);
    return answer(action, body);
  };
}

async function answer(action: Action, body: string): Promise<ApiResponse> {
  try {
    const request: unknown = JSON.parse(body || "{}");
    if (!isJsonObject(request)) return failure(400, "SerializationException", "the request is not a JSON object");
    return { status: 200, body: JSON.stringify(await action(request)) };
  } catch (error) {
    if (error instanceof StatesApiError) return failure(400, error.name, error.message);
    if (error instanceof SyntaxError) return failure(400, "SerializationException", error.message);
    throw error;
  }
}

function actionsOf(stateMachines: StateMachines, region: string): Record<string, Action> {
  return {
    CreateStateMachine: (request) => createStateMachine(stateMachines, region, request),
    DeleteStateMachine: (request) => {
      stateMachines.remove(text(request, "stateMachineArn"));
      return {};
    },
    StartExecution: (request) => {
      const name = optionalText(request, "name");
      const input = optionalText(request, "input");
      const { executionArn, startDate } = stateMachines.start({
        stateMachineArn: text(request, "stateMachineArn"),
        ...(name === undefined ? {} : { name }),
        ...(input === undefined ? {} : { input }),
      });
      return { executionArn, startDate: startDate / 1000 };
    },
    StopExecution: (request) => {
      const error = optionalText(request, "error");
      const cause = optionalText(request, "cause");
      const { stopDate } = stateMachines.stop({
        executionArn: text(request, "executionArn"),
        ...(error === undefined ? {} : { error }),
        ...(cause === undefined ? {} : { cause }),
      });
      return { stopDate: (stopDate ?? Date.now()) / 1000 };
    },
    DescribeExecution: (request) => describeExecution(stateMachines.execution(text(request, "executionArn"))),
    ListExecutions: (request) => listExecutions(stateMachines, request),
    GetExecutionHistory: (request) => {
      const { history } = stateMachines.execution(text(request, "executionArn"));
      const events = request["reverseOrder"] === true ? history.toReversed() : history;
      const { items, nextToken } = pageOf(events, request);
      const included = request["includeExecutionData"] !== false;
      return { events: included ? [...items] : items.map(withoutData), ...nextToken };
    },
    DescribeStateMachine: (request) => describeStateMachine(stateMachines, text(request, "stateMachineArn")),
    ListStateMachines: (request) => {
      const { items, nextToken } = pageOf(stateMachines.list(), request);
      return {
        stateMachines: items.map(({ arn, name, creationDate }) => ({
          stateMachineArn: arn,
          name,
          type: "STANDARD",
          creationDate: creationDate / 1000,
        })),
        ...nextToken,
      };
    },
  };
}

/** A repeat with the same definition and role gets the same answer as the first, as on AWS. */
async function createStateMachine(
  stateMachines: StateMachines,
  region: string,
  request: JsonObject,
): Promise<JsonObject> {
  const name = text(request, "name");
  const definition = text(request, "definition");
  const roleArn = text(request, "roleArn");
  const type = optionalText(request, "type") ?? "STANDARD";
  if (type !== "STANDARD") {
    throw new StatesApiError("ValidationException", `type ${type} is not supported by the embedded cloud`);
  }
  const arn = `arn:aws:states:${region}:${ACCOUNT_ID}:stateMachine:${name}`;
  const existing = stateMachines.list().find((machine) => machine.arn === arn);
  if (existing !== undefined && (existing.prepared.source !== definition || existing.roleArn !== roleArn)) {
    throw new StatesApiError("StateMachineAlreadyExists", `State Machine Already Exists: '${arn}'`);
  }
  const prepared = prepareDefinition(definition);
  if ("problems" in prepared) {
    throw new StatesApiError(
      "InvalidDefinition",
      `Invalid State Machine Definition: '${prepared.problems.join("; ")}'`,
    );
  }
  if (existing === undefined) {
    await stateMachines.deploy({ arn, name, roleArn, prepared, loggingConfiguration: { level: "OFF" } });
  }
  return { stateMachineArn: arn, creationDate: stateMachines.describe(arn).creationDate / 1000 };
}

function describeStateMachine(stateMachines: StateMachines, stateMachineArn: string): JsonObject {
  const machine = stateMachines.describe(stateMachineArn);
  return {
    stateMachineArn: machine.arn,
    name: machine.name,
    status: "ACTIVE",
    definition: machine.prepared.source,
    roleArn: machine.roleArn,
    type: "STANDARD",
    creationDate: machine.creationDate / 1000,
    loggingConfiguration: machine.loggingConfiguration,
  };
}

function describeExecution(execution: ExecutionView): JsonObject {
  const { executionArn, stateMachineArn, name, status, startDate, stopDate, input, output, error, cause } = execution;
  return {
    executionArn,
    stateMachineArn,
    name,
    status,
    input,
    inputDetails: { included: true },
    startDate: startDate / 1000,
    redriveCount: 0,
    redriveStatus: "NOT_REDRIVABLE",
    ...(stopDate === undefined ? {} : { stopDate: stopDate / 1000 }),
    ...(output === undefined ? {} : { output, outputDetails: { included: true } }),
    ...(error === undefined ? {} : { error }),
    ...(cause === undefined ? {} : { cause }),
  };
}

function listExecutions(stateMachines: StateMachines, request: JsonObject): JsonObject {
  const stateMachineArn = text(request, "stateMachineArn");
  stateMachines.describe(stateMachineArn);
  const status = optionalText(request, "statusFilter");
  if (status !== undefined && !STATUSES.includes(status)) {
    throw new StatesApiError("ValidationException", `statusFilter must be one of ${STATUSES.join(", ")}`);
  }
  const filter = {
    stateMachineArn,
    ...(status === undefined ? {} : { status: status as ExecutionStatus }),
  };
  const { items, nextToken } = pageOf(stateMachines.executions(filter), request, "executionArn");
  return {
    executions: items.map((execution) => ({
      executionArn: execution.executionArn,
      stateMachineArn: execution.stateMachineArn,
      name: execution.name,
      status: execution.status,
      startDate: execution.startDate / 1000,
      redriveCount: 0,
      ...(execution.stopDate === undefined ? {} : { stopDate: execution.stopDate / 1000 }),
    })),
    ...nextToken,
  };
}

function withoutData(event: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(event).map(([key, details]) => {
      if (!isJsonObject(details)) return [key, details];
      const { input: _input, output: _output, inputDetails: _in, outputDetails: _out, ...rest } = details;
      return [key, rest];
    }),
  );
}

interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextToken: { nextToken?: string };
}

const DEFAULT_PAGE = 100;
const MAXIMUM_PAGE = 1000;

/**
 * One page of a list. The token is a position, or, where `anchor` names the key of an item, the last item given: a list whose head grows
 * between two calls shows no item twice.
 */
function pageOf<Item extends object>(all: readonly Item[], request: JsonObject, anchor?: keyof Item): Page<Item> {
  const wanted = numberOf(request["maxResults"]) ?? 0;
  const size = wanted > 0 ? Math.min(wanted, MAXIMUM_PAGE) : DEFAULT_PAGE;
  const token = optionalText(request, "nextToken");
  const start = token === undefined ? 0 : positionAfter(all, token, anchor);
  if (start < 0) throw new StatesApiError("InvalidToken", `Invalid Token: '${token}'`);
  const items = all.slice(start, start + size);
  const last = items.at(-1);
  if (last === undefined || start + size >= all.length) return { items, nextToken: {} };
  return { items, nextToken: { nextToken: anchor ? String(last[anchor]) : String(start + size) } };
}

function positionAfter<Item extends object>(
  all: readonly Item[],
  token: string,
  anchor: keyof Item | undefined,
): number {
  if (!anchor) return /^\d+$/.test(token) ? Number(token) : -1;
  const index = all.findIndex((item) => item[anchor] === token);
  return index < 0 ? -1 : index + 1;
}

function text(request: JsonObject, field: string): string {
  const value = request[field];
  if (typeof value === "string") return value;
  throw new StatesApiError(
    "ValidationException",
    `1 validation error detected: Value at '${field}' failed to satisfy constraint: Member must not be null`,
  );
}

function optionalText(request: JsonObject, field: string): string | undefined {
  const value = request[field];
  return typeof value === "string" ? value : undefined;
}
