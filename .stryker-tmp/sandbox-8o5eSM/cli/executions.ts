// @ts-nocheck
import { ExecutionDoesNotExist, paginateGetExecutionHistory, type SFNClient } from "@aws-sdk/client-sfn";
import type { Executions } from "./connection.ts";
import type { HistoryEvent } from "./cost/history.ts";

/** Histories of the workflow's executions, through the Step Functions API. */
export class SfnExecutions implements Executions {
  readonly #client: SFNClient;
  readonly #stateMachineArn: string;

  constructor(client: SFNClient, stateMachineArn: string) {
    this.#client = client;
    this.#stateMachineArn = stateMachineArn;
  }

  async history(name: string): Promise<HistoryEvent[] | undefined> {
    const executionArn = `${this.#stateMachineArn.replace(":stateMachine:", ":execution:")}:${name}`;
    const events: HistoryEvent[] = [];
    try {
      const pages = paginateGetExecutionHistory(
        { client: this.#client },
        { executionArn, includeExecutionData: false },
      );
      for await (const { events: page = [] } of pages) {
        for (const { type, timestamp, stateEnteredEventDetails } of page) {
          events.push({
            type: type ?? "",
            timestamp: timestamp ?? new Date(0),
            stateName: stateEnteredEventDetails?.name,
          });
        }
      }
      return events;
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) {
        return undefined;
      }
      throw error;
    }
  }
}
