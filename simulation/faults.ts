/**
 * The faults. One is put at a place: a visit of a function (an entry of its state with all its tries, a message with all its
 * deliveries, an event of a rule), and there at one call of a port or at the invocation as a whole.
 */

/** Faults of one call of a port. */
export const CALL_FAULTS = {
  "final error": "the call has no effect and says so by a final name",
  "reschedulable error": "the call has no effect and says so by a reschedulable name",
  "unknown error": "the call has no effect and fails by a name of no table, once",
  "unknown error, each time": "the same at every try of the visit",
  "time-out": "the call has no effect and no answer until the function's time-out, once",
  "time-out, each time": "the same at every try of the visit",
  "answer lost": "the call has its effect and fails by a name of no table, once",
  "answer lost, each time": "the same at every try of the visit",
  "dies after": "the process ends when the call has had its effect, once",
  "dies after, each time": "the same at every try of the visit",
  "not sent": "the notification is refused, and the notifier says so by its own name, once",
  "not sent, each time": "the same at every try of the visit",
  "effect late": "the call fails by a name of no table, and has its effect some seconds later, once",
  "effect late, each time": "the same at every try of the visit",
  "done, then refused": "the call has its effect and fails by a reschedulable name, at every try of the visit",
  aborted: "the execution is aborted during the call; its function continues",
  "aborted, event lost": "the same, and the rule never hears of it",
  "timed out": "the execution times out during the call; its function continues",
  "deleted meanwhile": "a user deletes the volume during the call",
  "reset meanwhile":
    "an operator sets another status of the volume during the call: `creating`, `available`, `error` or `deleting`",
} as const satisfies Record<string, string>;

/** Faults of an invocation. */
export const VISIT_FAULTS = {
  "twice at once": "it is delivered twice, to two environments, at the same moment",
  "twice, soon": "it is delivered again three seconds after it began",
  "twice, late": "it is delivered again seven minutes after it began",
  "twice, at rest": "it is delivered again when everything has come to rest",
  "over 256 KiB": "its result is too large, once: the state fails by States.DataLimitExceeded, which is retried",
  "over 256 KiB, each time": "the same at every try of the visit",
  "output over 256 KiB": "its result just fits, and the state's whole output does not: the execution ends",
  "States.Runtime": "its state fails by States.Runtime before it is called",
  "States.Runtime after": "its state fails by States.Runtime when its work is done",
  "States.Timeout": "its work is done, and the answer never reaches the state",
  "lost from sight": "Lambda loses track of it (Lambda.ServiceException), and it runs to its end unseen",
  "lost from sight, each time": "the same at every try of the visit",
  throttled: "Lambda refuses it five times",
  "throttled for long": "Lambda refuses it ten times",
  "never delivered": "the message, event or tick is lost before it",
} as const satisfies Record<string, string>;

export type CallFaultName = keyof typeof CALL_FAULTS;
export type VisitFaultName = keyof typeof VISIT_FAULTS;
export type FaultName = CallFaultName | VisitFaultName;

/** A fault at its place. */
export type Fault = {
  /** `CreateRawVolume#1`: the first visit of that function. */
  visit: string;
  /** `driver.createVolume#1`: the first call of that name in a try; null for a fault of the whole invocation. */
  call: string | null;
  fault: FaultName;
};

/** Faults that strike again at every try of their visit. */
const LASTING: ReadonlySet<FaultName> = new Set<FaultName>([
  "final error",
  "reschedulable error",
  "unknown error, each time",
  "time-out, each time",
  "answer lost, each time",
  "effect late, each time",
  "done, then refused",
  "dies after, each time",
  "not sent, each time",
  "lost from sight, each time",
]);

/** Faults that only the call of the notifier can have. */
export const OF_NOTIFICATIONS: ReadonlySet<FaultName> = new Set<FaultName>(["not sent", "not sent, each time"]);

/** Faults of a call that only an execution can have. */
export const OF_EXECUTIONS: ReadonlySet<FaultName> = new Set<FaultName>([
  "aborted",
  "aborted, event lost",
  "timed out",
  "over 256 KiB",
  "over 256 KiB, each time",
  "output over 256 KiB",
  "States.Runtime",
  "States.Runtime after",
  "States.Timeout",
  "lost from sight",
  "lost from sight, each time",
  "throttled",
  "throttled for long",
]);

/** Faults that only a message, an event or a tick can have. */
export const OF_DELIVERIES: ReadonlySet<FaultName> = new Set<FaultName>(["never delivered"]);

/** Strikes of a fault that lasts: more than the tries of any visit but those of a queue that never gives up. */
const MOST_STRIKES = 12;

/** The faults of a run, and which have struck. */
export class FaultPlan {
  readonly #faults: readonly Fault[];
  readonly #struck = new Map<Fault, number>();

  constructor(faults: readonly Fault[]) {
    this.#faults = faults;
  }

  /** The fault that strikes at a call; one that lasts also strikes at the later calls of that name. */
  at(visit: string, call: string): CallFaultName | undefined {
    return this.#strike((fault) => fault.visit === visit && fault.call !== null && isAt(fault, fault.call, call)) as
      | CallFaultName
      | undefined;
  }

  /** The fault of a visit as a whole, if it is one of these. */
  of(visit: string, among: readonly VisitFaultName[]): VisitFaultName | undefined {
    const names: readonly FaultName[] = among;
    return this.#strike((fault) => fault.visit === visit && fault.call === null && names.includes(fault.fault)) as
      | VisitFaultName
      | undefined;
  }

  /**
   * Whether a lock on a source may come after the end of its create, without anybody left to take it off at once: by a request in transit,
   * or by a function that outlives its execution and then fails as well. The audit takes it off.
   */
  get mayLeaveLock(): boolean {
    const isLate = this.#faults.some(
      ({ call, fault }) => fault.startsWith("effect late") && call?.startsWith("locks.put#") === true,
    );
    const visits = this.#faults.map(({ visit }) => visit);
    return isLate || new Set(visits).size < visits.length;
  }

  /** Whether a second message of a volume may fail for good, which ends the attempt that the first one has begun. */
  get failsScheduling(): boolean {
    return this.#faults.some(({ visit, fault }) => visit.startsWith("ScheduleVolume#") && fault === "final error");
  }

  /** Faults whose place was never reached. */
  get missed(): Fault[] {
    return this.#faults.filter((fault) => !this.#struck.has(fault));
  }

  #strike(isMeant: (fault: Fault) => boolean): FaultName | undefined {
    const found = this.#faults.find(
      (fault) => isMeant(fault) && (this.#struck.get(fault) ?? 0) < (LASTING.has(fault.fault) ? MOST_STRIKES : 1),
    );
    if (found !== undefined) {
      this.#struck.set(found, (this.#struck.get(found) ?? 0) + 1);
    }
    return found?.fault;
  }
}

function isAt(fault: Fault, place: string, call: string): boolean {
  if (!LASTING.has(fault.fault)) {
    return place === call;
  }
  const [name, number] = place.split("#");
  const [calledName, calledNumber] = call.split("#");
  return name === calledName && Number(calledNumber) >= Number(number);
}
