import { Logger } from "@aws-lambda-powertools/logger";

/** The one logger of a function. Each line is JSON and carries the keys that {@link logFor} appended. */
export const logger = new Logger({ serviceName: "cinderless" });

/** Puts the keys that every line of this invocation carries; never a token, which is dropped at the boundary. */
export function logFor(keys: { volume_id?: string; attempt?: number; state?: string; request_id?: string }): void {
  logger.resetKeys();
  logger.appendKeys(keys);
}
