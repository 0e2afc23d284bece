import { prepareDefinition } from "./asl-definition.ts";
import type { PreparedDefinition } from "./asl-definition.ts";
import type { ExecutionJournal, JournalledExecution } from "./execution-journal.ts";
import { executionOf } from "./executions.ts";
import type { Execution } from "./executions.ts";
import { endEvent, previousEventIdOf } from "./history.ts";
import type { HistoryEvent } from "./history.ts";
import { resumptionOf } from "./resumption.ts";
import type { Resumption } from "./resumption.ts";

/** An interrupted execution in the form in which this process continues it. */
export interface Continuation {
  readonly execution: Execution;
  readonly roleArn: string;
  /** Its original definition; `undefined` when it cannot be continued and was ended. */
  readonly prepared: PreparedDefinition | undefined;
  /** `undefined` when it begins at its start, because it had entered no state. */
  readonly resumption: Resumption | undefined;
}

/** The time between two processes does not count for the time-out of an execution. */
export function continuationOf(left: JournalledExecution, journal: ExecutionJournal, now: number): Continuation {
  const interruption = journal.interruptionOf(left.executionArn);
  const { roleArn, events, position } = interruption;
  const prepared = prepareDefinition(interruption.definition);
  if ("problems" in prepared) return abandoned(left, events, roleArn, journal, now);
  const ranSeconds = Math.max(0, (journal.lastWritten ?? left.startDate) - left.startDate) / 1000;
  const resumption = resumptionOf(prepared.definition, interruption, ranSeconds, now);
  if (resumption === undefined && position !== undefined) return abandoned(left, events, roleArn, journal, now);
  const execution = executionOf(left, resumption?.history ?? []);
  journal.truncate(execution.executionArn, execution.history.length);
  return { execution, roleArn, prepared, resumption };
}

function abandoned(
  left: JournalledExecution,
  events: HistoryEvent[],
  roleArn: string,
  journal: ExecutionJournal,
  now: number,
): Continuation {
  const execution = executionOf(left, events);
  execution.status = "ABORTED";
  execution.stopDate = now;
  execution.cause = "The execution was interrupted, and the embedded cloud does not run its definition any more.";
  const id = events.length + 1;
  const [type, details] = endEvent("ABORTED", execution);
  const event: HistoryEvent = { id, previousEventId: previousEventIdOf(id), timestamp: now / 1000, type, ...details };
  execution.history.push(event);
  journal.recorded(execution.executionArn, event, false);
  journal.ended(execution);
  return { execution, roleArn, prepared: undefined, resumption: undefined };
}

/** An execution that ended in an earlier process; its history is read on demand. */
export function storedExecution({ told: _told, ...known }: JournalledExecution, journal: ExecutionJournal): Execution {
  let history: HistoryEvent[] | undefined;
  return Object.defineProperty(executionOf(known, []), "history", {
    get: () => (history ??= journal.historyOf(known.executionArn)),
  });
}
