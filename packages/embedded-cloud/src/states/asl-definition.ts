import type { StateMachineDefinition } from "aws-local-stepfunctions";
import { functionNameOf } from "../functions/function-emulator.ts";
import { arrayOrEmpty, isJsonObject, objectOrEmpty, textOf } from "../json.ts";
import type { JsonObject, JsonValue } from "../json.ts";

/** A checked definition, prepared for the engine; DescribeStateMachine answers the source text. */
export interface PreparedDefinition {
  readonly source: string;
  readonly definition: StateMachineDefinition;
  /** Function to invoke, by name of the Task state. */
  readonly taskFunctions: ReadonlyMap<string, string>;
  /** TimeoutSeconds of Task states, by name; states without one, or with a path, are missing. */
  readonly timeouts: ReadonlyMap<string, number>;
  /** Retriers and catchers of a Task name the error explicitly: a task's input that is too large is handled by its name only. */
  readonly handlers: ReadonlyMap<
    string,
    { readonly retried: ReadonlySet<string>; readonly caught: ReadonlySet<string> }
  >;
}

/** The engine's timers are 32 bit milliseconds. */
const MAXIMUM_SECONDS = 2_147_483;

/** Delay after a task's time-out at which the engine's own time-out ends it. */
const ENGINE_TIMEOUT_MARGIN_SECONDS = 60;

const COMMON_FIELDS = ["Type", "Comment", "InputPath", "OutputPath", "QueryLanguage"];
const FLOW_FIELDS = ["Next", "End"];
const RESULT_FIELDS = ["Parameters", "ResultPath"];
const ERROR_FIELDS = ["ResultSelector", "Retry", "Catch"];

const STATE_FIELDS: Readonly<Record<string, readonly string[]>> = {
  Task: [
    ...COMMON_FIELDS,
    ...FLOW_FIELDS,
    ...RESULT_FIELDS,
    ...ERROR_FIELDS,
    "Resource",
    "TimeoutSeconds",
    "TimeoutSecondsPath",
  ],
  Pass: [...COMMON_FIELDS, ...FLOW_FIELDS, ...RESULT_FIELDS, "Result"],
  Wait: [...COMMON_FIELDS, ...FLOW_FIELDS, "Seconds", "Timestamp", "SecondsPath", "TimestampPath"],
  Choice: [...COMMON_FIELDS, "Choices", "Default"],
  Succeed: COMMON_FIELDS,
  Fail: [...COMMON_FIELDS, "Error", "Cause", "ErrorPath", "CausePath"],
};

const TYPE_TESTS = ["IsNull", "IsPresent", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp"];

/**
 * Checks an Amazon States Language definition against the supported features, and rewrites features that the engine would run differently
 * from AWS: a Task without TimeoutSeconds (60 s there, none on AWS), `ResultPath: "$"`, and type tests for `false`.
 *
 * @returns the problems, one line each, when there are any
 */
export function prepareDefinition(source: string): PreparedDefinition | { readonly problems: readonly string[] } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(source);
  } catch (error) {
    return { problems: [`the definition is not valid JSON: ${(error as Error).message}`] };
  }
  const problems: string[] = [];
  const taskFunctions = new Map<string, string>();
  const timeouts = new Map<string, number>();
  const handlers = new Map<string, { retried: Set<string>; caught: Set<string> }>();
  const definition = prepareMachine(parsed, { problems, taskFunctions, timeouts, handlers });
  if (/"\$\$\.(State|Task)\b/.test(source))
    problems.push("$$.State and $$.Task are not supported by the embedded cloud");
  if (problems.length > 0) return { problems };
  return {
    source,
    definition: definition as unknown as StateMachineDefinition,
    taskFunctions,
    timeouts,
    handlers,
  };
}

interface Preparation {
  readonly problems: string[];
  readonly taskFunctions: Map<string, string>;
  readonly timeouts: Map<string, number>;
  readonly handlers: Map<string, { retried: Set<string>; caught: Set<string> }>;
}

function prepareMachine(machine: unknown, preparation: Preparation): JsonObject {
  const states = isJsonObject(machine) ? objectOrEmpty(machine["States"]) : {};
  const startAt = isJsonObject(machine) ? machine["StartAt"] : undefined;
  if (!isJsonObject(machine) || typeof startAt !== "string" || !(startAt in states)) {
    preparation.problems.push("the definition needs States and a StartAt among them");
    return {};
  }
  if (machine["QueryLanguage"] !== undefined && machine["QueryLanguage"] !== "JSONPath") {
    preparation.problems.push(
      `QueryLanguage ${textOf(machine["QueryLanguage"])} is not supported by the embedded cloud`,
    );
  }
  const prepared: JsonObject = {};
  for (const [name, state] of Object.entries(states)) {
    prepared[name] = prepareState(name, objectOrEmpty(state), preparation);
    for (const target of targetsOf(objectOrEmpty(state))) {
      if (!(target in states)) preparation.problems.push(`state ${name} leads to ${target}, which is not defined`);
    }
  }
  const timeout = machine["TimeoutSeconds"];
  return {
    ...machine,
    States: prepared,
    ...(typeof timeout === "number" ? { TimeoutSeconds: Math.min(timeout, MAXIMUM_SECONDS) } : {}),
  };
}

function prepareState(name: string, state: JsonObject, preparation: Preparation): JsonObject {
  const { problems } = preparation;
  const type = textOf(state["Type"]);
  const supported = STATE_FIELDS[type];
  if (!supported) {
    problems.push(`state ${name}: type ${type} is not supported by the embedded cloud`);
    return state;
  }
  for (const field of Object.keys(state)) {
    if (!supported.includes(field)) problems.push(`state ${name}: ${field} is not supported by the embedded cloud`);
  }
  const prepared: JsonObject = { ...state };
  if (prepared["ResultPath"] === "$") delete prepared["ResultPath"];
  if (Array.isArray(state["Catch"])) prepared["Catch"] = state["Catch"].map(withoutRootResultPath);
  switch (type) {
    case "Task":
      prepareTask(name, prepared, preparation);
      break;
    case "Choice":
      prepared["Choices"] = arrayOrEmpty(state["Choices"]).map(prepareRule);
      break;
    case "Pass":
      // The engine ignores such a result and passes its input on.
      if ("Result" in state && !state["Result"])
        problems.push(
          `state ${name}: a Result of ${JSON.stringify(state["Result"])} is not supported by the embedded cloud`,
        );
      break;
    case "Wait":
      if (typeof state["Seconds"] === "number" && state["Seconds"] > MAXIMUM_SECONDS) {
        problems.push(`state ${name}: Seconds above ${MAXIMUM_SECONDS} is not supported by the embedded cloud`);
      }
      break;
  }
  return prepared;
}

function prepareTask(
  name: string,
  state: JsonObject,
  { problems, taskFunctions, timeouts, handlers }: Preparation,
): void {
  const resource = textOf(state["Resource"]);
  if (!/^arn:aws[\w-]*:lambda:[^:]+:\d{12}:function:/.test(resource)) {
    problems.push(
      `state ${name}: Resource ${resource} is not supported by the embedded cloud, only the ARN of a function is`,
    );
  }
  taskFunctions.set(name, functionNameOf(resource));
  handlers.set(name, { retried: errorNames(state["Retry"]), caught: errorNames(state["Catch"]) });
  if (state["TimeoutSecondsPath"] !== undefined) return;
  const seconds = Math.min(Number(state["TimeoutSeconds"] ?? MAXIMUM_SECONDS), MAXIMUM_SECONDS);
  if (state["TimeoutSeconds"] !== undefined) timeouts.set(name, seconds);
  // The task itself ends at its time-out, with AWS's error: the engine's error would have a cause.
  state["TimeoutSeconds"] = Math.min(seconds + ENGINE_TIMEOUT_MARGIN_SECONDS, MAXIMUM_SECONDS);
}

function errorNames(handlers: JsonValue | undefined): Set<string> {
  return new Set(
    arrayOrEmpty(handlers).flatMap((handler) => arrayOrEmpty(objectOrEmpty(handler)["ErrorEquals"]).map(String)),
  );
}

function withoutRootResultPath(catcher: JsonValue): JsonValue {
  if (!isJsonObject(catcher) || catcher["ResultPath"] !== "$") return catcher;
  const { ResultPath: _resultPath, ...rest } = catcher;
  return rest;
}

/** The engine matches `IsPresent: true` only; a test for false is the negation of the test for true. */
function prepareRule(rule: JsonValue): JsonValue {
  if (!isJsonObject(rule)) return rule;
  const { Next: next, ...condition } = rule;
  const prepared: JsonObject = { ...condition };
  for (const operator of ["And", "Or"]) {
    if (Array.isArray(prepared[operator])) prepared[operator] = prepared[operator].map(prepareRule);
  }
  if (prepared["Not"] !== undefined) prepared["Not"] = prepareRule(prepared["Not"]);
  const falseTest = TYPE_TESTS.find((test) => prepared[test] === false);
  const result: JsonObject = falseTest ? { Not: { ...prepared, [falseTest]: true } } : prepared;
  return next === undefined ? result : { ...result, Next: next };
}

function targetsOf(state: JsonObject): string[] {
  const nested = [...arrayOrEmpty(state["Choices"]), ...arrayOrEmpty(state["Catch"])].map(
    (entry) => objectOrEmpty(entry)["Next"],
  );
  return [state["Next"], state["Default"], ...nested].filter((target) => typeof target === "string");
}
