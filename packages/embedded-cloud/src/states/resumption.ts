import type { StateMachineDefinition } from "aws-local-stepfunctions";
import { isJsonObject, objectOrEmpty } from "../json.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import type { Interruption } from "./execution-journal.ts";
import type { HistoryEvent } from "./history.ts";

/**
 * Continues an execution of an earlier process: the engine runs a definition that first leads into the execution's last state. That state
 * begins again with the same input. Its earlier work is repeated, as after a lost answer, and retries are counted from zero.
 */
export interface Resumption {
  readonly definition: StateMachineDefinition;
  /** For the engine's context object. */
  readonly context: { readonly Resume: { readonly Input: JsonValue } };
  /** The execution's history so far. */
  readonly history: HistoryEvent[];
  /** The state that it continues in; its beginning is in the history. */
  readonly state: string;
}

/** Names of the states that are put before the definition's own; their events do not belong to the execution. */
export const RESUME_STATE = "(resume)";
/** The rest of a wait; its end is the end of the state that waited. */
export const REST_STATE = "(rest of the wait)";

/**
 * @param definition the execution's own definition, made ready for the engine
 * @param ranSeconds how long the execution ran until it was interrupted; the time in between does not count for its time-out
 * @param now epoch milliseconds
 * @returns `undefined` when it had entered no state yet, or one that the definition does not have: it cannot be continued
 */
export function resumptionOf(
  definition: StateMachineDefinition,
  { events, position }: Interruption,
  ranSeconds: number,
  now: number,
): Resumption | undefined {
  const entered = events.find(({ id }) => id === position);
  const { name, input } = objectOrEmpty(entered?.["stateEnteredEventDetails"]);
  const { States: states, TimeoutSeconds: timeout } = definition as unknown as JsonObject & { States: JsonObject };
  const state = typeof name === "string" ? states[name] : undefined;
  if (entered === undefined || typeof name !== "string" || typeof input !== "string" || !isJsonObject(state)) {
    return undefined;
  }
  const value = JSON.parse(input) as JsonValue;
  const waited = now / 1000 - entered.timestamp;
  const rest = state["Type"] === "Wait" ? restOfWait(state, value, waited) : undefined;
  const resumed = {
    ...definition,
    StartAt: RESUME_STATE,
    ...(typeof timeout === "number" ? { TimeoutSeconds: Math.max(1, timeout - ranSeconds) } : {}),
    States: {
      ...states,
      [RESUME_STATE]: { Type: "Pass", InputPath: "$$.Resume.Input", Next: rest ? REST_STATE : name },
      ...(rest === undefined ? {} : { [REST_STATE]: rest }),
    },
  };
  return {
    definition: resumed as unknown as StateMachineDefinition,
    context: { Resume: { Input: value } },
    history: withoutUnfinishedStep(events, entered, name),
    state: name,
  };
}

/** The same wait with its remaining time, if its length is known; a point in time stays unchanged. */
function restOfWait(state: JsonObject, input: JsonValue, waited: number): JsonObject | undefined {
  const { Seconds: seconds, SecondsPath: path, ...others } = state;
  const wanted =
    typeof seconds === "number" ? seconds : numberAt(path, state["InputPath"] === undefined ? input : null);
  return wanted === undefined ? undefined : { ...others, Seconds: Math.max(0, wanted - waited) };
}

/** The number at a path of plain names. */
function numberAt(path: JsonValue | undefined, value: JsonValue): number | undefined {
  if (typeof path !== "string" || !/^\$(\.\w+)+$/.test(path)) return undefined;
  let found: JsonValue | undefined = value;
  for (const key of path.split(".").slice(1)) found = isJsonObject(found) ? found[key] : undefined;
  return typeof found === "number" ? found : undefined;
}

/** If a state's end was recorded but not the next one's beginning, the state begins again. Its end would otherwise appear twice. */
function withoutUnfinishedStep(events: HistoryEvent[], entered: HistoryEvent, state: string): HistoryEvent[] {
  const exited = events.findIndex(
    (event) => event.id > entered.id && objectOrEmpty(event["stateExitedEventDetails"])["name"] === state,
  );
  return exited < 0 ? events : events.slice(0, exited);
}
