import {
  ExecutionDoesNotExist,
  ListExecutionsCommand,
  paginateGetExecutionHistory,
  type HistoryEvent as SfnEvent,
  type SFNClient,
} from "@aws-sdk/client-sfn";
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

  async history(name: string, withData = false): Promise<HistoryEvent[] | undefined> {
    const executionArn = `${this.#stateMachineArn.replace(":stateMachine:", ":execution:")}:${name}`;
    const events: HistoryEvent[] = [];
    try {
      const pages = paginateGetExecutionHistory(
        { client: this.#client },
        { executionArn, includeExecutionData: withData },
      );
      for await (const { events: page = [] } of pages) {
        events.push(...page.map(eventOf));
      }
      return events;
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) {
        return undefined;
      }
      throw error;
    }
  }

  async newest(): Promise<string[]> {
    const { executions = [] } = await this.#client.send(
      new ListExecutionsCommand({ stateMachineArn: this.#stateMachineArn, maxResults: MOST_LISTED }),
    );
    return executions.map(({ name = "" }) => name);
  }
}

/** Executions of one listing. */
const MOST_LISTED = 100;

function eventOf(event: SfnEvent): HistoryEvent {
  const failure =
    event.lambdaFunctionFailedEventDetails ??
    event.lambdaFunctionTimedOutEventDetails ??
    event.taskFailedEventDetails ??
    event.taskTimedOutEventDetails ??
    event.executionFailedEventDetails ??
    event.executionTimedOutEventDetails ??
    event.executionAbortedEventDetails;
  const data =
    event.stateEnteredEventDetails?.input ??
    event.stateExitedEventDetails?.output ??
    event.executionSucceededEventDetails?.output ??
    event.lambdaFunctionScheduledEventDetails?.input ??
    event.lambdaFunctionSucceededEventDetails?.output;
  return {
    type: event.type ?? "",
    timestamp: event.timestamp ?? new Date(0),
    stateName: event.stateEnteredEventDetails?.name,
    ...(data === undefined ? {} : { data }),
    ...(failure === undefined ? {} : { error: failure.error, cause: failure.cause }),
  };
}
