import { LEDGER_ATTEMPTS } from "../../core/requests/byte-budget.ts";
import { FAULT_ATTEMPTS } from "../../core/fault.ts";
import { routeOf } from "../../core/errors.ts";
import { attemptOfFence, type Fault, fenceOf, STATUSES_CREATED, type VolumeRecord } from "../../core/records.ts";
import type { Account } from "../../simulation/account.ts";
import type { Execution } from "../../simulation/executions.ts";

/** Names under which the nets end an attempt that no error of its own ended. */
const NET_NAMES: ReadonlySet<string> = new Set(["DeadlineExceeded"]);

/** Enough of a message to distinguish it from any other; the ledger may mask secrets and cut the rest. */
const COMPARED_LETTERS = 40;

/** The error by which RescheduleVolume itself decides that no other backend may be tried. */
const NOT_CLEARED = "BackendNotCleared";

/** As docs/guarantees.md has it. */
const LONGEST_CAUSE = 500;

type Line = VolumeRecord["attempts"][string];

/** The ledger lists every attempt, with the error that ended it; the final fault names them all. */
export function checkLedger(account: Account, record: VolumeRecord): void {
  const lines = Object.entries(record.attempts).map(([number, line]) => ({ number: Number(number), line }));
  const latest = Math.max(0, ...lines.map(({ number }) => number));
  if (lines.length > LEDGER_ATTEMPTS) {
    account.breach(5, `the ledger of ${record.id} has ${lines.length} lines, and ${LEDGER_ATTEMPTS} are its most`);
  }
  const newestKept = newestKeptOf(record);
  const isCreated = (STATUSES_CREATED as readonly string[]).includes(record.status);
  for (const execution of account.executions.byName.values()) {
    const isOurs = execution.input.volume_id === record.id;
    const isDropped = (record.dropped?.attempts ?? 0) > 0 && attemptOfFence(execution.name) < newestKept;
    if (isOurs && !isDropped && !lines.some(({ line }) => line.execution === execution.name)) {
      account.breach(5, `execution ${execution.name} is not in the ledger`);
    }
  }
  for (let number = 1; number <= latest; number += 1) {
    checkLine(account, record, number, latest);
  }
  if (isCreated && lines.find(({ number }) => number === latest)?.line.outcome !== "created") {
    account.breach(5, `volume ${record.id} is ${record.status}, and its last attempt is not "created" in the ledger`);
  }
  checkFault(account, record);
  checkCauses(account, record);
}

/** Causes never take the room of the record. */
function checkCauses(account: Account, { id, attempts, fault }: VolumeRecord): void {
  for (const { cause = "" } of [...Object.values(attempts), ...(fault === null ? [] : [fault])]) {
    if (cause.length > LONGEST_CAUSE) {
      account.breach(5, `a cause of ${id} has ${cause.length} characters, and ${LONGEST_CAUSE} are the most`);
    }
  }
}

/** The first of the attempts at the end of a ledger that has dropped lines between them and its first line. */
function newestKeptOf({ attempts }: VolumeRecord): number {
  const [, second = 0] = Object.keys(attempts)
    .map(Number)
    .toSorted((one, other) => one - other);
  return second;
}

function checkLine(account: Account, record: VolumeRecord, number: number, latest: number): void {
  const line = record.attempts[number];
  const where = `attempt ${number} of ${record.id}`;
  if (line === undefined) {
    // A redrive counts on from an attempt whose message became a dead letter before any backend was chosen for it.
    if (!account.wasRedriven && !((record.dropped?.attempts ?? 0) > 0 && number < newestKeptOf(record))) {
      account.breach(5, `${where} is not in the ledger`);
    }
  } else if (line.outcome === "running" || line.ended_at === undefined) {
    account.breach(5, `${where} is ${line.outcome} in the ledger, and the volume is ${record.status}`);
  } else if (line.outcome !== "created" && (line.error === undefined || line.cause === undefined)) {
    account.breach(5, `${where} ended as ${line.outcome}, and the ledger does not say why`);
  } else if (number < latest && line.outcome !== "rescheduled" && !(account.wasRedriven && line.outcome === "error")) {
    account.breach(5, `${where} ended as ${line.outcome}, and another one followed`);
  } else if (line.outcome !== "created") {
    checkReason(account, where, line, account.executions.byName.get(fenceOf(record.id, number)));
  }
  if (line?.suspected_orphan === true) {
    checkSuspicion(account, where, record, number, line);
  }
}

/**
 * A host that has not confirmed that it holds nothing is left only where its driver itself has said that nothing was made. An attempt that
 * comes back to it closes the suspected attempt before it creates anything.
 */
function checkSuspicion(account: Account, where: string, record: VolumeRecord, number: number, line: Line): void {
  const { host, error = "" } = line;
  const driver = account.stores.drivers.get(host ?? "");
  // On a backend that cannot close attempts late effects are possible, whatever it has confirmed.
  if (driver?.fencesAttempts !== true) {
    return;
  }
  if (routeOf(error) !== "reschedulable" || error === "DriverNotInitialized") {
    account.breach(3, `${where} was left for another backend after ${error}, and ${host ?? ""} had not confirmed it`);
  }
  const isBack = record.host === host && (STATUSES_CREATED as readonly string[]).includes(record.status);
  if (isBack && (driver.closed.get(record.id) ?? 0) < number) {
    account.breach(
      3,
      `${where} is suspected on ${host ?? ""}, which made the volume of a later one and did not close it`,
    );
  }
}

/** The error and cause in the ledger are those of a failure that the attempt's execution had, or a net's own. */
function checkReason(account: Account, where: string, line: Line, execution: Execution | undefined): void {
  const { error = "", cause = "" } = line;
  const isOfScheduling = account.faults.failsScheduling && error === "InvalidInput";
  if (NET_NAMES.has(error) || execution === undefined || isOfScheduling) {
    return;
  }
  const ended = execution.status === "ABORTED" || execution.status === "TIMED_OUT";
  if (ended && error === `Execution${execution.status}`) {
    return;
  }
  const happened = execution.failures.filter((failure) => failure.error === error);
  if (happened.length === 0) {
    const known = execution.failures.map((failure) => failure.error).join(", ") || "none";
    account.breach(5, `the ledger says that ${where} ended by ${error}; its failures were: ${known}`);
  } else if (!happened.some((failure) => lettersOf(cause).startsWith(lettersOf(messageOf(failure.cause))))) {
    account.breach(5, `the ledger's cause of ${where}, ${cause}, is of none of its failures by ${error}`);
  }
}

/** The message in a Lambda error's JSON, or the text itself. Its own reader: the product's would agree with whatever the product does. */
function messageOf(cause: string): string {
  try {
    const { errorMessage } = JSON.parse(cause) as { errorMessage?: unknown };
    return typeof errorMessage === "string" ? errorMessage : cause;
  } catch {
    return cause;
  }
}

function lettersOf(text: string): string {
  return text.replaceAll(/[^A-Za-z]/g, "").slice(0, COMPARED_LETTERS);
}

/**
 * Where rescheduling failed, the fault says so: why no other backend was tried. A function whose answer was lost may have found the
 * backend not clear. When RescheduleVolume did not answer, and ErrorOutVolume did not either, no writer knows the reason.
 */
function checkWhyNotRescheduled(account: Account, id: string, fault: Fault): void {
  const failures = account.executions.byName.get(fenceOf(id, fault.attempt))?.failures ?? [];
  const first = failures[0];
  const refused = failures.find(({ state }) => state === "RescheduleVolume");
  const isOfTheFlow = first !== undefined && first.error === fault.error;
  if (!isOfTheFlow || refused === undefined || refused === first) {
    return;
  }
  const isUnknown = refused.error !== NOT_CLEARED && failures.some(({ state }) => state === "ErrorOutVolume");
  if (!isUnknown && ![refused.error, NOT_CLEARED].some((name) => fault.cause.includes(`not rescheduled: ${name}`))) {
    account.breach(5, `the fault of ${id} does not say why it was not rescheduled: ${refused.error}`);
  }
}

function checkFault(account: Account, { id, status, fault, attempts, dropped }: VolumeRecord): void {
  if (status !== "error" || fault === null) {
    return;
  }
  const earlier = Object.keys(attempts).filter((number) => Number(number) < fault.attempt);
  const isWhole = dropped?.attempts === undefined && earlier.length <= FAULT_ATTEMPTS;
  if (isWhole && fault.attempts.length !== earlier.length) {
    account.breach(5, `the fault of ${id} names ${fault.attempts.length} of ${earlier.length} earlier attempts`);
  }
  const isFull = Object.keys(attempts).length === LEDGER_ATTEMPTS && dropped?.attempts !== undefined;
  if (isFull && !fault.attempts.some((line) => line.includes("dropped from the ledger"))) {
    account.breach(5, `the fault of ${id} does not say that attempts were dropped from the ledger`);
  }
  for (const number of isWhole ? earlier : [...earlier.slice(0, 1), ...earlier.slice(-(FAULT_ATTEMPTS - 2))]) {
    const error = attempts[number]?.error ?? "";
    if (!fault.attempts.some((line) => line.includes(`attempt ${number} `) && line.includes(error))) {
      account.breach(5, `the fault of ${id} does not say that attempt ${number} ended by ${error}`);
    }
  }
  checkWhyNotRescheduled(account, id, fault);
  const last = attempts[fault.attempt];
  if (last?.error !== undefined && last.error !== fault.error) {
    account.breach(5, `the fault of ${id} is ${fault.error}, and the ledger says ${last.error}`);
  }
}
