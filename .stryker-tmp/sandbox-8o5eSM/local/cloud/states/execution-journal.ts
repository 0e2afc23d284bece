// @ts-nocheck
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { ExecutionStatus, ExecutionView } from "./executions.ts";

/** An execution whose end nobody was told of when the process ended. */
export interface UntoldExecution {
  readonly executionArn: string;
  readonly stateMachineArn: string;
  readonly name: string;
  /** `RUNNING`: it ended with the process. */
  readonly status: ExecutionStatus;
  readonly startDate: number;
  readonly stopDate: number | undefined;
  readonly input: string;
  readonly error: string | undefined;
  readonly cause: string | undefined;
}

/**
 * What Step Functions and EventBridge would know of executions after a crash: the names that are taken, and the ends that rules have
 * not been told of. Every method has written before it returns.
 */
export interface ExecutionJournal {
  started(execution: ExecutionView): void;
  ended(execution: ExecutionView): void;
  /** Every rule's targets took the end: it need not be told again. */
  told(executionArn: string): void;
  /** Names that an execution of the machine has or had. */
  namesOf(stateMachineArn: string): string[];
  /** Oldest first. */
  untold(): UntoldExecution[];
  forget(stateMachineArn: string): void;
  close(): void;
}

/** AWS keeps the name of an ended execution for as long. */
const RETENTION_MILLISECONDS = 90 * 24 * 3600 * 1000;

/** Opens the journal in a directory, or makes it. */
export function openExecutionJournal(directory: string): ExecutionJournal {
  const db = new DatabaseSync(path.join(directory, "executions.sqlite"));
  // With a write-ahead log, NORMAL survives the death of the process; only a power cut may take the last writes.
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS executions (
      arn TEXT PRIMARY KEY, machine TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
      start_date REAL NOT NULL, stop_date REAL, input TEXT, error TEXT, cause TEXT, told INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS untold ON executions (start_date) WHERE told = 0;
  `);
  db.prepare("DELETE FROM executions WHERE told = 1 AND stop_date < ?").run(Date.now() - RETENTION_MILLISECONDS);
  const insert = db.prepare("INSERT OR REPLACE INTO executions VALUES (?, ?, ?, 'RUNNING', ?, NULL, ?, NULL, NULL, 0)");
  const end = db.prepare("UPDATE executions SET status = ?, stop_date = ?, error = ?, cause = ? WHERE arn = ?");
  // The input is needed for the event only.
  const tell = db.prepare("UPDATE executions SET told = 1, input = NULL WHERE arn = ?");
  return {
    started: ({ executionArn, stateMachineArn, name, startDate, input }) =>
      void insert.run(executionArn, stateMachineArn, name, startDate, input),
    ended: ({ executionArn, status, stopDate, error, cause }) =>
      void end.run(status, stopDate ?? null, error ?? null, cause ?? null, executionArn),
    told: (executionArn) => {
      // A target may take the event while the cloud is being stopped: it is told again then.
      if (db.isOpen) tell.run(executionArn);
    },
    namesOf: (stateMachineArn) =>
      db
        .prepare("SELECT name FROM executions WHERE machine = ?")
        .all(stateMachineArn)
        .map(({ name }) => String(name)),
    untold: () => db.prepare("SELECT * FROM executions WHERE told = 0 ORDER BY start_date").all().map(untoldOf),
    forget: (stateMachineArn) => void db.prepare("DELETE FROM executions WHERE machine = ?").run(stateMachineArn),
    close: () => {
      if (db.isOpen) db.close();
    },
  };
}

function untoldOf(row: Record<string, unknown>): UntoldExecution {
  const optional = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  return {
    executionArn: String(row["arn"]),
    stateMachineArn: String(row["machine"]),
    name: String(row["name"]),
    status: String(row["status"]) as ExecutionStatus,
    startDate: Number(row["start_date"]),
    stopDate: row["stop_date"] === null ? undefined : Number(row["stop_date"]),
    input: optional(row["input"]) ?? "{}",
    error: optional(row["error"]),
    cause: optional(row["cause"]),
  };
}
