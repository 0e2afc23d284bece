import type { Connection } from "./connection.ts";
import { CliError } from "./errors.ts";
import { findOutputs } from "./outputs.ts";
import type { Target } from "./outputs.ts";

/** Opens a deployment through the AWS SDK. */
export async function openConnection(
  target: Target,
  environment: Record<string, string | undefined>,
): Promise<Connection> {
  await findOutputs(target, environment, async () => ({}));
  throw new CliError("not ready");
}
