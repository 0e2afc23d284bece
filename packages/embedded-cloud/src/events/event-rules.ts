import { randomUUID } from "node:crypto";
import type { AsynchronousInvocations } from "../functions/asynchronous-invocations.ts";
import { functionNameOf } from "../functions/function-emulator.ts";
import { isJsonObject } from "../json.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import type { MessagingPart } from "../parts/messaging.ts";
import { ACCOUNT_ID } from "../physical-names.ts";
import type { ExecutionView } from "../states/executions.ts";
import { matchesPattern } from "./event-pattern.ts";

/** A target of a rule: the ARN of a function or a queue, and the input that replaces the whole event. */
export interface EventTarget {
  readonly arn: string;
  /** Constant JSON text. */
  readonly input: string | undefined;
  /** `$` and dots, such as `$.detail`. */
  readonly inputPath: string | undefined;
}

export interface EventRule {
  readonly arn: string;
  readonly pattern: JsonObject | undefined;
  /** The period of a schedule; undefined for a rule with a pattern. */
  readonly periodSeconds: number | undefined;
  readonly targets: readonly EventTarget[];
}

export interface EventRules {
  add(rule: EventRule): void;
  /**
   * Starts the schedules. A rate fires at once and then every period, so that its effects appear without a wait. A rate whose targets are
   * all late, by their ARNs, fires first after a period.
   */
  start(isLate?: (targetArn: string) => boolean): void;
  /**
   * Sends an execution's new status to the rules. Resolves when every target has accepted the event, or has moved it to its dead letters.
   * Never resolves once the cloud is being stopped, because the event must then be sent again.
   */
  executionStatusChanged(execution: ExecutionView): Promise<void>;
  /** Deliveries to queues in progress. */
  readonly pending: number;
  stop(): void;
}

export interface EventRulesOptions {
  readonly region: string;
  readonly invocations: AsynchronousInvocations;
  readonly messaging: MessagingPart;
  readonly reportProblem: (line: string) => void;
}

/** EventBridge leaves input and output out of an event when both together are longer. */
const MAXIMUM_DETAIL_DATA_BYTES = 248 * 1024;

export function createEventRules(options: EventRulesOptions): EventRules {
  const { region, invocations, messaging, reportProblem } = options;
  const rules: EventRule[] = [];
  const patternRules: EventRule[] = [];
  const timers = new Set<NodeJS.Timeout>();
  let pending = 0;
  let stopped = false;

  const deliverTo = async (rule: EventRule, target: EventTarget, event: JsonObject): Promise<void> => {
    const body = targetInput(target, event);
    if (target.arn.includes(":function:")) return invocations.invoke(functionNameOf(target.arn), body);
    pending += 1;
    await messaging
      .sendMessage({ queueArn: target.arn, body })
      .catch((error: Error) => reportProblem(`${rule.arn}: ${error.message}`))
      .finally(() => {
        pending -= 1;
      });
  };
  const deliver = (rule: EventRule, event: JsonObject): Promise<unknown> =>
    Promise.all(rule.targets.map((target) => deliverTo(rule, target, event)));
  const envelope = (source: string, detailType: string, resource: string, detail: JsonObject): JsonObject => ({
    version: "0",
    id: randomUUID(),
    "detail-type": detailType,
    source,
    account: ACCOUNT_ID,
    time: new Date().toISOString().replace(/\.\d+Z$/, "Z"),
    region,
    resources: [resource],
    detail,
  });
  /** A process that slept through several periods fires once and continues from now. */
  const schedule = (rule: EventRule, periodSeconds: number, time: number): void => {
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        void deliver(rule, envelope("aws.events", "Scheduled Event", rule.arn, {}));
        schedule(rule, periodSeconds, Math.max(time + periodSeconds * 1000, Date.now()));
      },
      Math.max(0, time - Date.now()),
    );
    timers.add(timer);
  };

  return {
    get pending() {
      return pending;
    },
    add: (rule) => {
      rules.push(rule);
      if (rule.pattern) patternRules.push(rule);
    },
    start: (isLate = () => false) => {
      for (const rule of rules) {
        if (rule.periodSeconds === undefined) continue;
        const isAfterPeriod = rule.targets.every(({ arn }) => isLate(arn));
        schedule(rule, rule.periodSeconds, Date.now() + (isAfterPeriod ? rule.periodSeconds * 1000 : 0));
      }
    },
    executionStatusChanged: async (execution) => {
      if (stopped) return new Promise(() => undefined);
      if (patternRules.length === 0) return;
      const event = envelope(
        "aws.states",
        "Step Functions Execution Status Change",
        execution.executionArn,
        statusDetail(execution),
      );
      const matching = patternRules.filter(({ pattern }) => pattern && matchesPattern(pattern, event));
      await Promise.all(matching.map((rule) => deliver(rule, event)));
    },
    stop: () => {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function statusDetail(execution: ExecutionView): JsonObject {
  const { executionArn, stateMachineArn, name, status, startDate, stopDate, input, output, error, cause } = execution;
  const included = Buffer.byteLength(input) + Buffer.byteLength(output ?? "") <= MAXIMUM_DETAIL_DATA_BYTES;
  return {
    executionArn,
    stateMachineArn,
    name,
    status,
    startDate,
    stopDate: stopDate ?? null,
    input: included ? input : null,
    output: included ? (output ?? null) : null,
    inputDetails: { included },
    outputDetails: output === undefined ? null : { included },
    error: error ?? null,
    cause: cause ?? null,
  };
}

function targetInput(target: EventTarget, event: JsonObject): string {
  if (target.input !== undefined) return target.input;
  if (target.inputPath === undefined) return JSON.stringify(event);
  let value: JsonValue | undefined = event;
  for (const key of target.inputPath.split(".").slice(1)) value = isJsonObject(value) ? value[key] : undefined;
  return JSON.stringify(value ?? null);
}
