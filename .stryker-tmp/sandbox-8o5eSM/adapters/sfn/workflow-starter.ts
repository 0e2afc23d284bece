// @ts-nocheck
import { StartExecutionCommand, type SFNClient } from "@aws-sdk/client-sfn";
import { InvalidInput } from "../../core/errors.ts";
import type { WorkflowInput } from "../../core/messages.ts";
import type { WorkflowStarter } from "../../core/ports.ts";

/** What the starter is made of. */
export type WorkflowStarterOptions = { client: Pick<SFNClient, "send">; stateMachineArn: string };

/** Longest input of an execution, in bytes of UTF-8 (Step Functions service quotas). */
const LONGEST_INPUT_BYTES = 262_144;

/**
 * Starts executions of the workflow in Step Functions. The name makes it happen once: a standard workflow refuses a second
 * execution of a name for 90 days, so a repeated start, or one whose answer was lost, is a success.
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
    const bytes = Buffer.byteLength(text);
    if (bytes > LONGEST_INPUT_BYTES) {
      throw new InvalidInput(
        `the request makes ${bytes} bytes of workflow input; at most ${LONGEST_INPUT_BYTES} are allowed`,
      );
    }
    try {
      await client.send(new StartExecutionCommand({ stateMachineArn, name: input.fence, input: text }));
    } catch (error) {
      if (!(error instanceof Error && error.name === "ExecutionAlreadyExists")) {
        throw error;
      }
    }
  }
}
