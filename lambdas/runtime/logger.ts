import { Logger } from "@aws-lambda-powertools/logger";

/**
 * The one logger of a function. Each line is JSON and names the function. Keys of an invocation are passed with each line, so that
 * invocations which share an environment cannot mix them. A token cannot be among them, because the boundary drops it.
 */
export const logger = new Logger({
  serviceName: "cinderless",
  persistentKeys: { state: process.env["AWS_LAMBDA_FUNCTION_NAME"] },
});
