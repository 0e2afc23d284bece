import { createHash } from "node:crypto";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { ExecutionStatus, ExecutionView } from "./executions.ts";
import type { HistoryEvent } from "./history.ts";

/** An execution in the journal, without its history. */
export interface JournalledExecution extends Omit<ExecutionView, "state"> {
  /** False while a rule's target has not accepted the event of its end. */
  readonly told: boolean;
}

/** The data with which an interrupted execution continues. */
export interface Interruption {
  /** Its original definition; the machine may have another by now. */
  readonly definition: string;
  readonly roleArn: string;
  /** All events that were recorded. */
  readonly events: HistoryEvent[];
  /** Id of the event by which it entered its last state; undefined if it had entered none. */
  readonly position: number | undefined;
}

/**
 * The facts about executions that Step Functions and EventBridge would keep over a crash: executions with their histories, the used names,
 * and the ends whose events the rules have not received.
 *
 * Interrupted: starts and ends are written before their methods return. Events are written together at the end of a turn of the event
 * loop, so a kill may take the last few: the execution then continues from an earlier event, as if it had been killed there.
 */
export interface ExecutionJournal {
  started(
    execution: Omit<ExecutionView, "state">,
    origin: { readonly definition: string; readonly roleArn: string },
  ): void;
  /** Adds an event; `isPosition` means that with it the execution entered a state from which it can continue. */
  recorded(executionArn: string, event: HistoryEvent, isPosition: boolean): void;
  ended(execution: Omit<ExecutionView, "state">): void;
  /** Every rule's targets accepted the end: its event need not be sent again. */
  told(executionArn: string): void;
  /** Names that an execution of the machine has or had. */
  namesOf(stateMachineArn: string): string[];
  /** State machines that have executions here. */
  machines(): string[];
  /** Every execution with data, in the order of their starts. */
  executions(): JournalledExecution[];
  interruptionOf(executionArn: string): Interruption;
  historyOf(executionArn: string): HistoryEvent[];
  /** Drops the events after the first `length` ones: the execution continues before them. */
  truncate(executionArn: string, length: number): void;
  /** Drops everything of an ended execution except its name, unless the event of its end must still be sent. */
  forgetData(executionArn: string): void;
  /** Drops everything of a machine, including the names of its executions. */
  forget(stateMachineArn: string): void;
  /** Epoch milliseconds of the last thing that an earlier process wrote; undefined in a new journal. */
  readonly lastWritten: number | undefined;
  close(): void;
}

/** AWS keeps the name of an ended execution for as long. */
const RETENTION_MILLISECONDS = 90 * 24 * 3600 * 1000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS executions (
    arn TEXT PRIMARY KEY, machine TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, start_date REAL NOT NULL, stop_date REAL,
    input TEXT, output TEXT, error TEXT, cause TEXT, told INTEGER NOT NULL,
    definition TEXT NOT NULL, role TEXT NOT NULL, position INTEGER,
    -- Deflated JSON, once it has ended: the events of an execution repeat its data many times.
    history BLOB
  );
  CREATE INDEX IF NOT EXISTS by_machine ON executions (machine);
  CREATE TABLE IF NOT EXISTS events (arn TEXT NOT NULL, id INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (arn, id)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS definitions (hash TEXT PRIMARY KEY, source TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS written (at REAL NOT NULL);
`;

/** All columns except the history, which is large. */
const COLUMNS = "arn, machine, name, status, start_date, stop_date, input, output, error, cause, told";

/**
 * Opens the journal in a directory, or creates it.
 *
 * @param reportCrash receives one line when the journal cannot write any more, as on a full disk; later writes are lost
 */
export function openExecutionJournal(directory: string, reportCrash: (line: string) => void): ExecutionJournal {
  const db = new DatabaseSync(path.join(directory, "executions.sqlite"));
  // With a write-ahead log, NORMAL survives the death of the process; only a power cut may take the last writes.
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ${SCHEMA}`);
  db.prepare("DELETE FROM executions WHERE told = 1 AND stop_date < ?").run(Date.now() - RETENTION_MILLISECONDS);
  const lastWritten = lastWrittenIn(db);
  const events = createEventWriter(db, reportCrash);
  const definitions = new Set<string>();
  const insert = db.prepare(
    "INSERT INTO executions (arn, machine, name, status, start_date, input, told, definition, role) VALUES (?, ?, ?, 'RUNNING', ?, ?, 0, ?, ?)",
  );
  const end = db.prepare(
    "UPDATE executions SET status = ?, stop_date = ?, output = ?, error = ?, cause = ?, history = ? WHERE arn = ?",
  );
  const dropEvents = db.prepare("DELETE FROM events WHERE arn = ?");
  const tell = db.prepare("UPDATE executions SET told = 1 WHERE arn = ?");
  const forgetData = db.prepare(
    "UPDATE executions SET input = NULL, output = NULL, error = NULL, cause = NULL, history = NULL WHERE arn = ? AND told = 1",
  );
  const eventsOf = (arn: string): HistoryEvent[] =>
    db
      .prepare("SELECT event FROM events WHERE arn = ? ORDER BY id")
      .all(arn)
      .map(({ event }) => JSON.parse(String(event)) as HistoryEvent);
  return {
    lastWritten,
    started: ({ executionArn, stateMachineArn, name, startDate, input }, { definition, roleArn }) => {
      const hash = createHash("sha256").update(definition).digest("base64url");
      if (!definitions.has(hash)) {
        db.prepare("INSERT OR IGNORE INTO definitions VALUES (?, ?)").run(hash, definition);
        definitions.add(hash);
      }
      insert.run(executionArn, stateMachineArn, name, startDate, input, hash, roleArn);
    },
    recorded: (executionArn, event, isPosition) => events.add(executionArn, event, isPosition),
    ended: ({ executionArn, status, stopDate, output, error: reason, cause }) => {
      events.flush();
      orReport(reportCrash, () => {
        const history = deflateRawSync(JSON.stringify(eventsOf(executionArn)), { level: 1 });
        transaction(db, () => {
          end.run(status, stopDate ?? null, output ?? null, reason ?? null, cause ?? null, history, executionArn);
          dropEvents.run(executionArn);
        });
      });
    },
    told: (executionArn) => {
      // A target may accept the event while the cloud is being stopped: it is then sent again.
      if (db.isOpen) orReport(reportCrash, () => tell.run(executionArn));
    },
    namesOf: (stateMachineArn) =>
      db
        .prepare("SELECT name FROM executions WHERE machine = ?")
        .all(stateMachineArn)
        .map(({ name }) => String(name)),
    machines: () =>
      db
        .prepare("SELECT DISTINCT machine FROM executions")
        .all()
        .map(({ machine }) => String(machine)),
    executions: () =>
      db
        .prepare(`SELECT ${COLUMNS} FROM executions WHERE input IS NOT NULL ORDER BY start_date`)
        .all()
        .map(executionOf),
    interruptionOf: (executionArn) => {
      const row = db
        .prepare("SELECT source, role, position FROM executions JOIN definitions ON hash = definition WHERE arn = ?")
        .get(executionArn);
      return {
        definition: String(row?.["source"]),
        roleArn: String(row?.["role"]),
        events: eventsOf(executionArn),
        position: typeof row?.["position"] === "number" ? row["position"] : undefined,
      };
    },
    historyOf: (executionArn) => {
      const history = db.prepare("SELECT history FROM executions WHERE arn = ?").get(executionArn)?.["history"];
      if (!(history instanceof Uint8Array)) return eventsOf(executionArn);
      return JSON.parse(inflateRawSync(history).toString()) as HistoryEvent[];
    },
    truncate: (executionArn, length) =>
      void db.prepare("DELETE FROM events WHERE arn = ? AND id > ?").run(executionArn, length),
    forgetData: (executionArn) => void forgetData.run(executionArn),
    forget: (stateMachineArn) => {
      events.flush();
      db.prepare("DELETE FROM events WHERE arn IN (SELECT arn FROM executions WHERE machine = ?)").run(stateMachineArn);
      db.prepare("DELETE FROM executions WHERE machine = ?").run(stateMachineArn);
    },
    close: () => {
      if (!db.isOpen) return;
      events.flush();
      orReport(reportCrash, () => {
        db.exec("DELETE FROM written");
        db.prepare("INSERT INTO written VALUES (?)").run(Date.now());
      });
      db.close();
    },
  };
}

/** A write without a waiting caller: its failure is reported as the store's. */
function orReport(reportCrash: (line: string) => void, write: () => void): void {
  try {
    write();
  } catch (error) {
    reportCrash(`executions crashed: ${(error as Error).message}`);
  }
}

function transaction(db: DatabaseSync, write: () => void): void {
  db.exec("BEGIN");
  try {
    write();
    db.exec("COMMIT");
  } catch (error) {
    // SQLite itself has rolled back after some errors, such as a full disk.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/** Collects events and writes those of one turn of the event loop in one transaction: a state's end and the next one's beginning. */
function createEventWriter(db: DatabaseSync, reportCrash: (line: string) => void) {
  const insert = db.prepare("INSERT INTO events VALUES (?, ?, ?)");
  const move = db.prepare("UPDATE executions SET position = ? WHERE arn = ?");
  let waiting: { arn: string; event: HistoryEvent; isPosition: boolean }[] = [];
  const flush = (): void => {
    if (waiting.length === 0 || !db.isOpen) return;
    const written = waiting;
    waiting = [];
    orReport(reportCrash, () => {
      transaction(db, () => {
        for (const { arn, event, isPosition } of written) {
          insert.run(arn, event.id, JSON.stringify(event));
          if (isPosition) move.run(event.id, arn);
        }
      });
    });
  };
  return {
    add: (arn: string, event: HistoryEvent, isPosition: boolean): void => {
      if (waiting.length === 0) setImmediate(flush);
      waiting.push({ arn, event, isPosition });
    },
    flush,
  };
}

/** The process may have been killed: its last event is then the last known one. */
function lastWrittenIn(db: DatabaseSync): number | undefined {
  const stopped = db.prepare("SELECT max(at) AS at FROM written").get()?.["at"];
  const latest = db.prepare("SELECT max(max(start_date), max(coalesce(stop_date, 0))) AS at FROM executions").get()?.[
    "at"
  ];
  const event = db
    .prepare(
      "SELECT event FROM events JOIN (SELECT arn AS of, max(id) AS last FROM events GROUP BY arn) ON arn = of AND id = last",
    )
    .all()
    .map((row) => (JSON.parse(String(row["event"])) as HistoryEvent).timestamp * 1000);
  const times = [stopped, latest, ...event].filter((time) => typeof time === "number");
  return times.length === 0 ? undefined : Math.max(...times);
}

function executionOf(row: Record<string, unknown>): JournalledExecution {
  const optional = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  return {
    executionArn: String(row["arn"]),
    stateMachineArn: String(row["machine"]),
    name: String(row["name"]),
    status: String(row["status"]) as ExecutionStatus,
    startDate: Number(row["start_date"]),
    stopDate: row["stop_date"] === null ? undefined : Number(row["stop_date"]),
    input: String(row["input"]),
    output: optional(row["output"]),
    error: optional(row["error"]),
    cause: optional(row["cause"]),
    told: row["told"] === 1,
  };
}
