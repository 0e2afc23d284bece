import type { Context, Handler } from "aws-lambda";
import { describeError } from "../../core/errors.ts";
import type { Turn } from "../../core/tasks/create-on-backend.ts";
import { type OwnerInput, parseTaskInput } from "../../core/tasks/input.ts";
import { logFor, logger } from "./logger.ts";

type InputKey = Parameters<typeof parseTaskInput>[1][number];

/**
 * The frame of a task state's function: parse, call the task, return. An error leaves with its own name, which is what the
 * workflow's Catch branches match; it is logged first, because Step Functions keeps a cut of it only.
 *
 * @param keys the keys of the state document that the task gets beside the owner's
 */
export function taskHandler<Key extends InputKey, Output>(
  keys: readonly Key[],
  task: (input: ReturnType<typeof parseTaskInput<Key>>, turn: Turn) => Promise<Output>,
): Handler<unknown, Output | null> {
  return async (event, context) => {
    logFor({ state: context.functionName });
    try {
      const input = parseTaskInput(event, keys);
      logFor(logKeys(input, context));
      const output = await task(input, turnOf(event, context));
      logger.debug("done");
      return output ?? null;
    } catch (error) {
      const { name, message } = describeError(error);
      logger.warn("failed", { error: name, cause: message, stack: error instanceof Error ? error.stack : undefined });
      throw error;
    }
  };
}

function logKeys(input: OwnerInput, context: Context): Parameters<typeof logFor>[0] {
  return {
    volume_id: input.volume_id,
    attempt: input.attempt,
    state: context.functionName,
    request_id: input.context.request_id,
  };
}

/** A task that is called again finds the checkpoint of its last turn in `creation`. */
function turnOf(event: unknown, context: Context): Turn {
  const creation = (event as { creation?: { checkpoint?: Turn["checkpoint"] } }).creation;
  return { remainingTimeMs: () => context.getRemainingTimeInMillis(), checkpoint: creation?.checkpoint ?? null };
}
