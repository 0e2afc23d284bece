import type { StateMachineDefinition } from "aws-local-stepfunctions";
import { isJsonObject, objectOrEmpty, textOf } from "../json.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import type { HistoryEvent } from "./history.ts";

/** The engine's message for a path without a value. */
const DEAD_PATH = /^Path expression '(.+)' does not point to a value$/;

/** The cause that Step Functions gives for a `States.Runtime` that ended an execution, in place of the engine's own text. */
export function runtimeCause(
  definition: StateMachineDefinition,
  history: readonly HistoryEvent[],
  message: string,
): string {
  const entered = history.findLast((event) => event["stateEnteredEventDetails"] !== undefined);
  if (entered === undefined) return message;
  const { name, input } = objectOrEmpty(entered["stateEnteredEventDetails"]);
  const state = objectOrEmpty(objectOrEmpty((definition as unknown as JsonObject)["States"])[textOf(name)]);
  const path = DEAD_PATH.exec(message)?.[1];
  const detail = path === undefined ? message : deadPath(state, path, textOf(input));
  return `An error occurred while executing the state '${textOf(name)}' (entered at the event id #${entered.id}). ${detail}`;
}

function deadPath(state: JsonObject, path: string, input: string): string {
  const field = fieldWith(state, path);
  if (field === "Variable")
    return `Invalid path '${path}': The choice state's condition path references an invalid value.`;
  if (field?.endsWith(".$")) {
    return `The JSONPath '${path}' specified for the field '${field}' could not be found in the input '${input}'`;
  }
  return `Invalid path '${path}' : No results for path: ${path}`;
}

/** The name of the first field that has this value, however deep. */
function fieldWith(node: JsonValue | undefined, path: string): string | undefined {
  if (Array.isArray(node)) return node.map((entry) => fieldWith(entry, path)).find((field) => field !== undefined);
  if (!isJsonObject(node)) return undefined;
  for (const [field, value] of Object.entries(node)) {
    const found = value === path ? field : fieldWith(value, path);
    if (found !== undefined) return found;
  }
  return undefined;
}
