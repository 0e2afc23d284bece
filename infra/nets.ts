import { Duration } from "aws-cdk-lib";
import { Rule, type RuleProps, RuleTargetInput, Schedule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { AuditSchedule } from "../core/audit/schedule.ts";
import type { TimeBounds } from "../core/settings/time-bounds.ts";
import type { EventFunctionName, Functions } from "./functions.ts";
import type { Workflow } from "./workflow.ts";

/** Properties of the nets. */
export type NetsProps = {
  functions: Functions;
  workflow: Workflow;
  /** Queue of events that could not be delivered, or whose function kept failing. */
  deadLetterQueue: Queue;
  audit: AuditSchedule;
  timeBounds: Pick<TimeBounds, "sweep_interval_seconds" | "report_interval_seconds">;
};

/** Lifetime of an event of a schedule: the next one does the same work. */
const SCHEDULED_EVENT_AGE = Duration.minutes(5);

/** Retries of an event whose function failed. */
type Retries = { retryAttempts: number; maxEventAge?: Duration };

/** A schedule repeats its work anyway; an audit is a quarter of an hour of listing, and may also reap. */
const RETRIES: Readonly<Record<EventFunctionName, Retries>> = {
  // An execution's end comes once: Lambda's own two retries, and hours of them where the function is throttled.
  ErrorOutFailedExecution: { retryAttempts: 2 },
  SweepOverdueVolumes: { retryAttempts: 1, maxEventAge: SCHEDULED_EVENT_AGE },
  ReportBackends: { retryAttempts: 1, maxEventAge: SCHEDULED_EVENT_AGE },
  AuditBackends: { retryAttempts: 0, maxEventAge: SCHEDULED_EVENT_AGE },
};

/** Lambda's own retries of an asynchronous event. */
export function retriesOf(name: EventFunctionName): Retries {
  return RETRIES[name];
}

/**
 * The nets below the workflow's own Catch branches, the reports of the backends and their audit: a rule on executions that failed, timed
 * out or were aborted, and three schedules. An event that cannot be delivered ends in the dead-letter queue. The sweep then decides its
 * volume; the sweep's own events come again each minute.
 */
export class Nets extends Construct {
  constructor(scope: Construct, id: string, { functions, workflow, deadLetterQueue, audit, timeBounds }: NetsProps) {
    super(scope, id);
    const rule = (ruleId: string, name: EventFunctionName, retryAttempts: number, props: RuleProps): Rule =>
      new Rule(this, ruleId, {
        ...props,
        targets: [new LambdaFunction(functions.get(name), { retryAttempts, deadLetterQueue })],
      });
    rule("ExecutionFailed", "ErrorOutFailedExecution", 10, {
      description: "Executions that ended without deciding their volume",
      eventPattern: {
        source: ["aws.states"],
        detailType: ["Step Functions Execution Status Change"],
        detail: {
          status: ["FAILED", "TIMED_OUT", "ABORTED"],
          // Events name the machine, and the alias in a separate field; no page of AWS promises it.
          stateMachineArn: [workflow.stateMachine.stateMachineArn, workflow.aliasArn ?? []].flat(),
        },
      },
    });
    rule("SweepSchedule", "SweepOverdueVolumes", 2, {
      description: "Volumes past their deadline",
      schedule: Schedule.rate(Duration.seconds(timeBounds.sweep_interval_seconds)),
    });
    rule("ReportSchedule", "ReportBackends", 2, {
      description: "Capacity and capabilities of the backends",
      schedule: Schedule.rate(Duration.seconds(timeBounds.report_interval_seconds)),
    });
    new Rule(this, "AuditSchedule", {
      description: "Compares the backends' content with the records",
      schedule: Schedule.rate(Duration.minutes(audit.intervalMinutes)),
      targets: [
        new LambdaFunction(functions.get("AuditBackends"), {
          event: RuleTargetInput.fromObject(audit.request),
          retryAttempts: 0,
          deadLetterQueue,
        }),
      ],
    });
  }
}
