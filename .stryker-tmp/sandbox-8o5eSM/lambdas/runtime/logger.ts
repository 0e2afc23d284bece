// @ts-nocheck
import { Logger } from "@aws-lambda-powertools/logger";

/**
 * The one logger of a function. Each line is JSON and names the function; what belongs to an invocation is given with the line, so
 * that invocations which share an environment cannot mix their keys. No token can be among them: it is dropped at the boundary.
 */
export const logger = new Logger({
  serviceName: "cinderless",
  persistentKeys: { state: process.env["AWS_LAMBDA_FUNCTION_NAME"] },
});
