import { StartExecutionCommand, type SFNClient } from "@aws-sdk/client-sfn";
import { bytesOf, LARGEST_STATE_BYTES, requireWithinBudget } from "../../core/requests/byte-budget.ts";
import type { WorkflowInput } from "../../core/requests/messages.ts";
import type { WorkflowStarter } from "../../core/ports.ts";

/** Dependencies of the starter. */
export type WorkflowStarterOptions = { client: Pick<SFNClient, "send">; stateMachineArn: string };

/**
 * Starts executions of the workflow in Step Functions. The name makes the start idempotent: a standard workflow refuses a second execution
 * of a name for 90 days, so a repeated start, or one whose answer was lost, succeeds.
 */
export class SfnWorkflowStarter implements WorkflowStarter {
  readonly #options: WorkflowStarterOptions;

  constructor(options: WorkflowStarterOptions) {
    this.#options = options;
  }

  /** @throws InvalidInput when the request is longer than an execution's input may be: no repeat would help. */
  async start(input: WorkflowInput): Promise<void> {
    const { client, stateMachineArn } = this.#options;
    const text = JSON.stringify(input);
    requireWithinBudget(bytesOf(text), "the workflow's input", LARGEST_STATE_BYTES);
    try {
      await client.send(new StartExecutionCommand({ stateMachineArn, name: input.fence, input: text }));
    } catch (error) {
      if (!(error instanceof Error && error.name === "ExecutionAlreadyExists")) {
        throw error;
      }
    }
  }
}
