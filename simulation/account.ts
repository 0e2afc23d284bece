import { messageText } from "../core/requests/byte-budget.ts";
import { AsyncLocalStorage } from "node:async_hooks";
import type { Context } from "aws-lambda";
import type { GivenUpCalls } from "../core/backends/limited-drivers.ts";
import type { AuditReport } from "../core/audit/report.ts";
import { describeError, routeOf } from "../core/errors.ts";
import { FUNCTIONS, type FunctionName } from "../core/settings/functions.ts";
import type { Notification } from "../core/notifications/notifications.ts";
import { SECRET } from "./identifiers.ts";
import { callUnderFault, FAULTS_OWN } from "./call-faults.ts";
import type { Deployment } from "./deployment.ts";
import { type Execution, Executions } from "./executions.ts";
import { type Fault, FaultPlan, type VisitFaultName } from "./faults.ts";
import { type FunctionHandler, giveEnvironment, takeEnvironment } from "./functions.ts";
import { type Ports, portsOf } from "./ports.ts";
import { Monitor } from "./monitor.ts";
import { Queues, requireMessageSize } from "./queues.ts";
import { Rules } from "./rules.ts";
import { Stores } from "./stores.ts";
import { deferred, randomNumbers, VirtualTime } from "./virtual-time.ts";
import { StateFailure } from "./walker.ts";
import { WriteWatch } from "./write-watch.ts";

/** The moment at which every run begins. */
export const START = "2026-01-01T01:00:00.000Z";

/** One call of a function. */
export type Invocation = {
  functionName: FunctionName;
  visit: string;
  /** Calls of ports as `driver.createVolume#1`, in their order. */
  calls: string[];
  /** How often each port's method was called. */
  readonly counts: Map<string, number>;
  /** Ended from outside: none of its calls continues. */
  isDead: boolean;
  hasAnswered: boolean;
  readonly memory: ProcessMemory;
  end(failure: StateFailure): void;
};

/** The memory of a function's process, which its next invocations find. It ends with the process. */
export type ProcessMemory = { readonly givenUp: GivenUpCalls };

/** A breach of an invariant of the architecture, by its number there; 0 is the harness's own. */
export type Violation = { invariant: number; text: string };

/** Calls that change nothing that lasts, or nothing that anybody waits for. */
const READS =
  /\.(get|getMany|getByName|list\w*|initialized|findVolume|getVolumeStats|show|getLocation|report|of|claimOf|openClaims|openCapacity|isGivenBack|tidy)#/;

/**
 * One simulated deployment: the template's queues, rules and state machine, its functions on ports in memory, a clock of its own
 * and the faults of one run.
 */
export class Account {
  readonly time = new VirtualTime(START);
  readonly random: () => number;
  readonly stores: Stores;
  readonly queues: Queues;
  readonly executions: Executions;
  readonly rules: Rules;
  readonly ports: Ports;
  readonly faults: FaultPlan;
  readonly violations: Violation[] = [];
  /** Every invocation, in the order in which they began. */
  readonly invocations: Invocation[] = [];
  readonly startMs: number = Date.parse(START);
  /** When the last call that changes something was made. */
  lastChangeMs: number;
  /** Until when a volume was undecided or a claim was open. */
  undecidedUntilMs: number;
  readonly watch: WriteWatch;
  readonly monitor: Monitor;
  /** Ids of what lies on a backend without a record, and the audit has found. */
  readonly orphans = new Set<string>();
  /** Ids of what the scenario put on a backend without a record. */
  scenariosOwn: ReadonlySet<string> = new Set();
  /** Whether a dead letter was sent again. */
  wasRedriven = false;
  /** Visits that users asked for. */
  readonly asked = new Set<string>();
  /** The volume that users mean. */
  subject = "";
  readonly #running = new AsyncLocalStorage<Invocation>();
  readonly #visits = new Map<string, number>();
  readonly #executionOf = new Map<string, Execution>();
  readonly #memories = new WeakMap<FunctionHandler, ProcessMemory>();
  #atRest: (() => void)[] = [];

  constructor(deployment: Deployment, seed: number, faults: readonly Fault[] = []) {
    this.random = randomNumbers(seed);
    this.faults = new FaultPlan(faults);
    this.lastChangeMs = this.time.nowMs;
    this.undecidedUntilMs = this.time.nowMs;
    this.stores = new Stores({ now: () => this.now() });
    this.watch = new WriteWatch(this);
    this.monitor = new Monitor(deployment.alarms, this.startMs);
    this.queues = new Queues(this, deployment.queues);
    this.executions = new Executions(this, deployment.definition);
    this.rules = new Rules(this, deployment.rules);
    this.ports = portsOf(this);
  }

  now(): Date {
    return new Date(this.time.nowMs);
  }

  /** An id that the run's seed decides. */
  newId(): string {
    const digits = (count: number): string =>
      Array.from({ length: count }, () => Math.floor(this.random() * 16).toString(16)).join("");
    return `${digits(8)}-${digits(4)}-4${digits(3)}-8${digits(3)}-${digits(12)}`;
  }

  /** Counts what an alarm may watch. */
  measure(metric: string, value: number): void {
    this.monitor.record(metric, value, this.time.nowMs);
  }

  /** Names the next visit of a function: `ScheduleVolume#2`. */
  nextVisit(functionName: FunctionName): string {
    const number = (this.#visits.get(functionName) ?? 0) + 1;
    this.#visits.set(functionName, number);
    return `${functionName}#${number}`;
  }

  owns(visit: string, execution: Execution): void {
    this.#executionOf.set(visit, execution);
  }

  executionOf(visit: string): Execution | undefined {
    return this.#executionOf.get(visit);
  }

  /** The fault of the visit, if it is one of these and strikes now. */
  visitFault(visit: string, among: readonly VisitFaultName[]): VisitFaultName | undefined {
    return this.faults.of(visit, among);
  }

  /** Repeats a visit as its fault wants it. */
  repeatLater(visit: string, repeat: () => void): void {
    const fault = this.visitFault(visit, ["twice at once", "twice, soon", "twice, late", "twice, at rest"]);
    if (fault === "twice, at rest") {
      this.#atRest.push(repeat);
    } else if (fault !== undefined) {
      const seconds = fault === "twice at once" ? 0.06 * (1 + this.random()) : fault === "twice, soon" ? 3 : 420;
      this.time.after(seconds * 1000, repeat);
    }
  }

  /** Does what waits for rest; false when nothing does. */
  disturbRest(): boolean {
    const waiting = this.#atRest;
    this.#atRest = [];
    waiting.forEach((repeat) => repeat());
    return waiting.length > 0;
  }

  /** Takes what leaves the account, or stays in it for people to see. */
  note(what: string, value: unknown): void {
    if (JSON.stringify(value).includes(SECRET)) {
      this.breach(9, `the token of the request is in a ${what}`);
    }
  }

  breach(invariant: number, text: string): void {
    if (!this.violations.some((known) => known.text === text)) {
      this.violations.push({ invariant, text });
    }
  }

  published(notification: Notification): void {
    requireMessageSize(messageText(notification));
    this.note("notification", notification);
    const volumeId = String(notification.payload["volume_id"]);
    const record = this.stores.volumes.records.get(volumeId);
    // An operator's status says nothing about the volume.
    const statusThen = record?.reset_at === undefined ? record?.status : undefined;
    this.stores.published.push({ notification: structuredClone(notification), statusThen, atMs: this.time.nowMs });
  }

  /**
   * Calls a function as Lambda does: JSON in and out, its time-out, and an error by the name that was thrown.
   *
   * @throws StateFailure
   */
  async invoke(functionName: FunctionName, event: unknown, visit: string): Promise<unknown> {
    const ended = deferred<StateFailure>();
    const environment = takeEnvironment(functionName);
    const memory = this.#memories.get(environment) ?? { givenUp: new Map<string, number>() };
    this.#memories.set(environment, memory);
    const invocation: Invocation = {
      functionName,
      visit,
      calls: [],
      counts: new Map(),
      isDead: false,
      hasAnswered: false,
      memory,
      end: (failure) => {
        invocation.isDead = true;
        this.#memories.delete(environment);
        ended.resolve(failure);
      },
    };
    this.invocations.push(invocation);
    const timeoutMs = FUNCTIONS[functionName].timeoutSeconds * 1000;
    const deadlineMs = this.time.nowMs + timeoutMs;
    const timer = this.time.after(timeoutMs, () => invocation.end(timedOut(timeoutMs)));
    const context = { getRemainingTimeInMillis: () => deadlineMs - this.time.nowMs } as Context;
    const payload: unknown = JSON.parse(JSON.stringify(event));
    const work = this.#running.run(invocation, async () => {
      try {
        return { result: await environment(payload, context, () => {}) };
      } catch (error) {
        return failureOf(error);
      }
    });
    const outcome = await Promise.race([work, ended.promise]);
    timer.cancel();
    giveEnvironment(functionName, environment);
    this.measure(`AWS/Lambda/Errors ${functionName}`, outcome instanceof StateFailure ? 1 : 0);
    if (outcome instanceof StateFailure) {
      throw outcome;
    }
    invocation.hasAnswered = true;
    return JSON.parse(JSON.stringify(outcome.result ?? null)) as unknown;
  }

  /**
   * Calls a driver for the function that runs now, as the SDK does: an invocation that Lambda does not take is an error of its own, and one
   * that is not answered may come twice.
   *
   * @throws Error under the name that CallDriver has thrown
   */
  async callDriver(request: unknown): Promise<unknown> {
    const visit = this.nextVisit("CallDriver");
    this.repeatLater(visit, () => void this.invoke("CallDriver", request, visit).catch(() => {}));
    if (this.visitFault(visit, ["never delivered"]) !== undefined) {
      throw Object.assign(new Error(FAULTS_OWN), { name: "TooManyRequestsException" });
    }
    try {
      return await this.invoke("CallDriver", request, visit);
    } catch (error) {
      throw error instanceof StateFailure ? Object.assign(new Error(error.message), { name: error.error }) : error;
    }
  }

  /** Requests of a user. One who gets no clear answer asks again, and once more a while later. */
  request(functionName: FunctionName, event: unknown): void {
    void this.#askRepeatedly(functionName, event);
  }

  async #askRepeatedly(functionName: FunctionName, event: unknown): Promise<void> {
    for (const waitSeconds of [300, null]) {
      const visit = this.nextVisit(functionName);
      this.asked.add(visit);
      this.repeatLater(visit, () => void this.invoke(functionName, event, visit).catch(() => {}));
      for (let tries = 0; tries < 3; tries += 1) {
        try {
          if (isAnswer(await this.invoke(functionName, event, visit))) {
            return;
          }
          await this.time.sleep(20_000);
        } catch (error) {
          if (
            error instanceof StateFailure &&
            routeOf(error.error) === "final" &&
            !error.message.includes(FAULTS_OWN)
          ) {
            return;
          }
          await this.time.sleep(20_000);
        }
      }
      if (waitSeconds !== null) {
        await this.time.sleep(waitSeconds * 1000);
      }
    }
  }

  /** Asks the audit for what lies on the backends without a record. It is undisturbed, so one that fails breaks promise 4. */
  async audit(): Promise<void> {
    let report: AuditReport;
    try {
      report = (await this.invoke("AuditBackends", {}, "AuditBackends#at rest")) as AuditReport;
    } catch (error) {
      this.breach(4, `the audit fails: ${describeError(error).message}`);
      return;
    }
    for (const { kind, what, id } of report.findings) {
      if ((what === "volume" || what === "snapshot") && (kind === "orphan" || kind === "leftover")) {
        this.orphans.add(id);
      }
    }
  }

  /** The invocation whose code runs now. @throws Error outside of any function */
  running(what: string): Invocation {
    const invocation = this.#running.getStore();
    if (invocation === undefined) {
      throw new Error(`${what} was called outside of any function`);
    }
    return invocation;
  }

  /** A call of a port, by the current function. */
  async call(name: string, effect: () => Promise<unknown>, parameters: readonly unknown[]): Promise<unknown> {
    const invocation = this.running(name);
    const occurrence = (invocation.counts.get(name) ?? 0) + 1;
    invocation.counts.set(name, occurrence);
    const call = `${name}#${occurrence}`;
    invocation.calls.push(call);
    // Requests take their time, so that what runs at once comes in any order.
    await this.time.sleep(10 + 40 * this.random());
    // A repeated delivery is a visit of its own name.
    const writer = this.executionOf(invocation.visit.replace(/ again$/, ""));
    const watched = () => this.watch.around(name, effect, parameters, writer);
    const result = await callUnderFault(this, invocation, call, watched);
    if (!READS.test(call)) {
      this.lastChangeMs = this.time.nowMs;
    }
    return result;
  }
}

/** False for an HTTP answer that says only that the server failed: a client asks again. */
function isAnswer(result: unknown): boolean {
  const status = typeof result === "object" && result !== null && "statusCode" in result ? result.statusCode : 200;
  return typeof status !== "number" || status < 500;
}

function timedOut(timeoutMs: number): StateFailure {
  return new StateFailure(
    "Sandbox.Timedout",
    JSON.stringify({ errorType: "Sandbox.Timedout", errorMessage: `Task timed out after ${timeoutMs / 1000} seconds` }),
  );
}

function failureOf(error: unknown): StateFailure {
  const { name, message } = describeError(error);
  return new StateFailure(name, JSON.stringify({ errorType: name, errorMessage: message, trace: [] }));
}
