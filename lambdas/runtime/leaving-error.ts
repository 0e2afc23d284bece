import { describeError } from "../../core/errors.ts";
import { foreignText } from "../../core/text/foreign-text.ts";

/** Stack frames of an error that leaves the function, and their greatest length in UTF-16 units. */
const MOST_FRAMES = 20;
const LONGEST_FRAME = 300;

/**
 * The error in the form in which it may leave a function. Lambda writes its name, message and stack to the function's log, and Step
 * Functions keeps them in the execution's history and the state document. They may contain any text of a driver or service, so all of it
 * passes through {@link foreignText}, and its length is bounded (`core/requests/byte-budget.ts`).
 */
export function leavingError(error: unknown): Error {
  const { name, message } = describeError(error);
  const leaving = new Error(message);
  leaving.name = name;
  leaving.stack = [`${name}: ${message}`, ...framesOf(error)].join("\n");
  return leaving;
}

function framesOf(error: unknown): string[] {
  const stack = error instanceof Error && typeof error.stack === "string" ? error.stack : "";
  return stack
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .slice(0, MOST_FRAMES)
    .map((line) => `    ${foreignText(line.trim(), LONGEST_FRAME)}`);
}
