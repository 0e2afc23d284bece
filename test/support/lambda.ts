import { fileURLToPath } from "node:url";
import type { Context, Handler } from "aws-lambda";

/** The environment that the stack gives the functions. */
export const FUNCTION_ENVIRONMENT: Record<string, string> = {
  VOLUMES_TABLE: "volumes",
  SNAPSHOTS_TABLE: "snapshots",
  VOLUME_TYPES_TABLE: "volume-types",
  BACKENDS_TABLE: "backends",
  DEAD_LETTERS_TABLE: "dead-letters",
  PROJECTS_TABLE: "projects",
  CLAIMS_TABLE: "claims",
  LOCKS_TABLE: "locks",
  SCHEDULER_QUEUE_URL: "https://sqs.us-east-1.amazonaws.com/000000000000/scheduler",
  SCHEDULER_DEAD_LETTER_QUEUE_URL: "https://sqs.us-east-1.amazonaws.com/000000000000/dead-letters",
  NOTIFICATIONS_TOPIC_ARN: "arn:aws:sns:us-east-1:000000000000:notifications",
  NOTIFICATION_ERA: "zed",
  IMAGES_BUCKET: "images",
  STATE_MACHINE_ARN: "arn:aws:states:us-east-1:000000000000:stateMachine:create-volume",
  CALL_DRIVER_FUNCTION: "call-driver",
  /** Its `backends.json` has the backend `node@first`. */
  LAMBDA_TASK_ROOT: fileURLToPath(new URL("../data/function-code", import.meta.url)),
  SCHEDULER_SETTINGS: "{}",
  AWS_ACCESS_KEY_ID: "local",
  AWS_SECRET_ACCESS_KEY: "local",
};

/** Calls a handler as Lambda does, with all the time that it wants. */
export async function invoke<Result>(handler: Handler<never, Result>, event: unknown): Promise<Result> {
  const context = { functionName: "function-under-test", getRemainingTimeInMillis: () => 30_000 } as Context;
  return (await handler(event as never, context, () => {})) as Result;
}
