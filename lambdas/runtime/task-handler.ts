import type { Context, Handler } from "aws-lambda";
import type { Turn } from "../../core/attempt/create-on-backend.ts";
import { type OwnerInput, parseTaskInput } from "../../core/workflow/input.ts";
import { leavingError } from "./leaving-error.ts";
import { logger } from "./logger.ts";

type InputKey = Parameters<typeof parseTaskInput>[1][number];

/**
 * The frame of a task state's function: parse, call the task, return. An error leaves with its own name, which is what the workflow's Catch
 * branches match; it is logged first, because Step Functions keeps only a part of it.
 *
 * @param keys the keys of the state document that the task gets in addition to the owner's
 */
export function taskHandler<Key extends InputKey, Output>(
  keys: readonly Key[],
  task: (input: ReturnType<typeof parseTaskInput<Key>>, turn: Turn) => Promise<Output>,
): Handler<unknown, Output | null> {
  return async (event, context) => {
    try {
      const input = parseTaskInput(event, keys);
      const output = await task(input, turnOf(event, context));
      logger.debug("done", logKeys(event));
      return output ?? null;
    } catch (error) {
      const leaving = leavingError(error);
      const { name, message, stack } = leaving;
      logger.warn("failed", { ...logKeys(event), error: name, cause: message, stack });
      throw leaving;
    }
  };
}

/** Keys of a log line from its invocation, as far as the event, which may be malformed, has them. */
function logKeys(event: unknown): Record<string, unknown> {
  const { volume_id, attempt, context } = (event ?? {}) as Partial<OwnerInput>;
  return { volume_id, attempt, request_id: context?.request_id };
}

/** A repeated task finds the checkpoint of its last turn in `creation`. */
function turnOf(event: unknown, context: Context): Turn {
  const creation = (event as { creation?: { checkpoint?: Turn["checkpoint"] } }).creation;
  return { remainingTimeMs: () => context.getRemainingTimeInMillis(), checkpoint: creation?.checkpoint ?? null };
}
