/**
 * The workflow's definition for AWS Step Functions Local, which does not know the current language: versions 1.4.0 to 1.7.9 refuse
 * `MaxDelaySeconds` and `JitterStrategy` of a retrier, and `ErrorPath` and `CausePath` of a Fail state.
 */

/** A document in the Amazon States Language, as far as it is read here. */
type Definition = { States: Record<string, State> };
type State = { Type: string; Comment?: string; Retry?: Record<string, unknown>[] } & Record<string, unknown>;

/** Fields of a retrier that Step Functions Local refuses. Without them, waits double without limit and have no jitter. */
const NEW_RETRIER_FIELDS = ["MaxDelaySeconds", "JitterStrategy"];

/** The function that ends an execution with the given error and cause, because a Fail state cannot. */
export const FAIL_FUNCTION = "FailExecution";

/**
 * Source of {@link FAIL_FUNCTION}, a CommonJS module with the handler `index.handler`. Step Functions takes the execution's error from the
 * thrown error's name, and its cause from name and message. So the function throws the original failure's message again.
 */
export const FAIL_FUNCTION_SOURCE = `exports.handler = async ({ error, cause }) => {
  let message = cause;
  try {
    message = JSON.parse(cause).errorMessage ?? cause;
  } catch {
    // The cause of a time-out is not valid JSON.
  }
  throw Object.assign(new Error(message), { name: error, stack: "" });
};
`;

/**
 * @param definition JSON text
 * @param arnOf gives the ARN of {@link FAIL_FUNCTION}
 * @returns the same workflow as JSON text: states, routes and ends are the same, waits between retries may be longer
 */
export function forStepFunctionsLocal(definition: string, arnOf: (name: string) => string): string {
  const { States: states, ...rest } = JSON.parse(definition) as Definition;
  const converted = Object.entries(states).map(([name, state]) => [name, convert(state, arnOf)]);
  return JSON.stringify({ ...rest, States: Object.fromEntries(converted) as Definition["States"] });
}

function convert(state: State, arnOf: (name: string) => string): State {
  if (state.Type === "Fail" && ("ErrorPath" in state || "CausePath" in state)) {
    return {
      ...(state.Comment === undefined ? {} : { Comment: state.Comment }),
      Type: "Task",
      Resource: arnOf(FAIL_FUNCTION),
      Parameters: { ...given("error", state), ...given("cause", state) },
      TimeoutSeconds: 60,
      End: true,
    };
  }
  if (state.Retry === undefined) return state;
  const retriers = state.Retry.map((retrier) =>
    Object.fromEntries(Object.entries(retrier).filter(([field]) => !NEW_RETRIER_FIELDS.includes(field))),
  );
  return { ...state, Retry: retriers };
}

/** A parameter for the Fail state's `Error` or `Cause`, as a path or a literal. */
function given(name: "error" | "cause", state: State): Record<string, unknown> {
  const field = name === "error" ? "Error" : "Cause";
  const path = state[`${field}Path`];
  return typeof path === "string" ? { [`${name}.$`]: path } : { [name]: state[field] ?? "" };
}
