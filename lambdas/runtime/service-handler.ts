import type { Context, Handler } from "aws-lambda";
import { leavingError } from "./leaving-error.ts";
import { logger } from "./logger.ts";

/** The frame of a function outside the workflow: an error leaves with its own name and is logged first. */
export function serviceHandler<Output>(
  serve: (event: unknown, context: Context) => Promise<Output>,
): Handler<unknown, Output | null> {
  return async (event, context) => {
    try {
      return (await serve(event, context)) ?? null;
    } catch (error) {
      const leaving = leavingError(error);
      logger.error("failed", { error: leaving.name, cause: leaving.message, stack: leaving.stack });
      throw leaving;
    }
  };
}
