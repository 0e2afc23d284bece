// @ts-nocheck
import type { Context, Handler } from "aws-lambda";
import { describeError } from "../../core/errors.ts";
import { logger } from "./logger.ts";

/** The frame of a function beside the workflow: an error leaves with its own name and is logged first. */
export function serviceHandler<Output>(
  serve: (event: unknown, context: Context) => Promise<Output>,
): Handler<unknown, Output | null> {
  return async (event, context) => {
    try {
      return (await serve(event, context)) ?? null;
    } catch (error) {
      const { name, message } = describeError(error);
      logger.error("failed", { error: name, cause: message, stack: error instanceof Error ? error.stack : undefined });
      throw error;
    }
  };
}
