import { InvokeCommand, type LambdaClient } from "@aws-sdk/client-lambda";
import type { WorkStarter } from "../../core/api/dependencies.ts";
import type { ApiEnvironment } from "../../core/api/options.ts";

/** Dependencies of the starter. */
export type WorkStarterOptions = { client: Pick<LambdaClient, "send">; functions: ApiEnvironment["functions"] };

/**
 * Starts functions by asynchronous invocations. Lambda delivers each at least once, and twice more when the function fails; the sweep
 * starts abandoned work again, because the record has the request.
 */
export class LambdaWorkStarter implements WorkStarter {
  readonly #options: WorkStarterOptions;

  constructor(options: WorkStarterOptions) {
    this.#options = options;
  }

  async start(functionName: keyof ApiEnvironment["functions"], event: Record<string, unknown>): Promise<void> {
    const { client, functions } = this.#options;
    await client.send(
      new InvokeCommand({
        FunctionName: functions[functionName],
        InvocationType: "Event",
        Payload: new TextEncoder().encode(JSON.stringify(event)),
      }),
    );
  }
}
