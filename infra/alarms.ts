import { Duration } from "aws-cdk-lib";
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { FUNCTION_NAMES, type FunctionName, FUNCTIONS } from "../core/settings/functions.ts";
import { METRICS, METRICS_NAMESPACE } from "../core/metrics.ts";
import { SWEEP_INTERVAL_SECONDS, type TimeBounds } from "../core/settings/time-bounds.ts";
import type { Functions } from "./functions.ts";
import type { Messaging } from "./messaging.ts";
import { LIVE_ALIAS, type Workflow } from "./workflow.ts";

/** Sections of the runbook by alarm; a test checks that each exists. */
const RUNBOOK = "docs/runbook.md";

/** The resources that alarms watch. */
export type WatchedParts = {
  functions: Functions;
  messaging: Messaging;
  workflow: Workflow;
  timeBounds: Pick<TimeBounds, "sweep_interval_seconds" | "report_interval_seconds">;
};

/** One alarm: a condition that needs a person to act, and the section of the runbook that describes the action. */
export type AlarmDefinition = {
  id: string;
  /** The event, in one sentence. */
  description: string;
  metric: IMetric;
  threshold: number;
  /** Periods in a row that breach the threshold; 1 for a condition that is always wrong. */
  periods: number;
  /** By default a value breaches the threshold that is equal to it or greater. */
  comparison?: ComparisonOperator;
  /**
   * The meaning of a period without data; by default that nothing is wrong. BREACHING if each run writes data, so that missing data means
   * that nothing runs. IGNORE if the last data is still valid, such as an audit's findings.
   */
  missing?: TreatMissingData;
};

const FIVE_MINUTES = Duration.minutes(5);

/** A period that always contains data of a schedule with this interval, in seconds. CloudWatch accepts whole minutes. */
function periodOf(intervalSeconds: number): Duration {
  return Duration.seconds(Math.max(FIVE_MINUTES.toSeconds(), 60 * Math.ceil(intervalSeconds / 60)));
}

/** Functions that end volumes when the workflow could not. A message that a queue's function fails on stays in its queue, which has its own alarm. */
const NETS = FUNCTION_NAMES.filter((name) => FUNCTIONS[name].purpose === "net" && FUNCTIONS[name].kind !== "queue");

/** A metric that the functions write into their logs, over all of its dimensions. */
export function ownMetric(
  name: keyof typeof METRICS,
  statistic = "Sum",
  dimensionsMap = {},
  period = FIVE_MINUTES,
): Metric {
  return new Metric({
    namespace: METRICS_NAMESPACE,
    metricName: METRICS[name],
    statistic,
    period,
    dimensionsMap: { service: "cinderless", ...dimensionsMap },
  });
}

/** Metrics of executions. */
export type ExecutionMetric =
  | "ExecutionsStarted"
  | "ExecutionsSucceeded"
  | "ExecutionsFailed"
  | "ExecutionsTimedOut"
  | "ExecutionsAborted";

/**
 * An execution metric of the workflow. Executions that an alias starts are counted with the machine's ARN alone, and again with the ARN and
 * the alias. AWS's page lists both without saying that the first includes the second, so the larger one is used.
 *
 * @see https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
 */
export function executionMetric(
  { stateMachine }: Workflow,
  metricName: ExecutionMetric,
  label: string = metricName,
): MathExpression {
  const sum = { statistic: "Sum", period: FIVE_MINUTES };
  const dimensions = { StateMachineArn: stateMachine.stateMachineArn };
  const counted = (dimensionsMap: Record<string, string>): Metric =>
    new Metric({ namespace: "AWS/States", metricName, dimensionsMap, ...sum });
  // Ids are shared by all metrics of one alarm.
  const id = metricName.charAt(0).toLowerCase() + metricName.slice(1);
  return new MathExpression({
    expression: `MAX([FILL(${id}, 0), FILL(${id}ByAlias, 0)])`,
    usingMetrics: {
      [id]: counted(dimensions),
      [`${id}ByAlias`]: counted({ ...dimensions, Alias: LIVE_ALIAS }),
    },
    period: FIVE_MINUTES,
    label,
  });
}

/** Every alarm of the stack. */
export function alarmDefinitions({ functions, messaging, workflow, timeBounds }: WatchedParts): AlarmDefinition[] {
  const executions = (metricName: ExecutionMetric): MathExpression => executionMetric(workflow, metricName);
  const sum = { statistic: "Sum", period: FIVE_MINUTES };
  const errorsOf = (names: readonly FunctionName[]): IMetric =>
    new MathExpression({
      // A function that was not called in a period has no data there, and must not hide the errors of the others.
      expression: names.map((_name, index) => `FILL(e${index}, 0)`).join(" + "),
      usingMetrics: Object.fromEntries(
        names.map((name, index) => [`e${index}`, functions.get(name).metricErrors(sum)]),
      ),
      period: FIVE_MINUTES,
      label: "errors",
    });
  return [
    {
      id: "DeadLetters",
      description: "A message of the scheduler queue could not be processed; its volume is in error",
      metric: ownMetric("deadLetters"),
      threshold: 1,
      periods: 1,
    },
    {
      id: "DeadLettersNotConsumed",
      description: "Messages stay in the scheduler's dead-letter queue: their volumes are not marked",
      metric: messaging.schedulerDeadLetterQueue.metricApproximateNumberOfMessagesVisible({
        statistic: "Maximum",
        period: FIVE_MINUTES,
      }),
      threshold: 1,
      periods: 3,
    },
    {
      id: "EventsLost",
      description: "An event of a net or a schedule could not be delivered, or its function kept failing",
      metric: messaging.eventsDeadLetterQueue.metricApproximateNumberOfMessagesVisible({
        statistic: "Maximum",
        period: FIVE_MINUTES,
      }),
      threshold: 1,
      periods: 1,
    },
    {
      id: "ExecutionsBroken",
      description: "Executions timed out or were aborted, which the workflow itself never does",
      metric: new MathExpression({
        expression: "timedOut + aborted",
        usingMetrics: { timedOut: executions("ExecutionsTimedOut"), aborted: executions("ExecutionsAborted") },
        period: FIVE_MINUTES,
        label: "timed out or aborted",
      }),
      threshold: 1,
      periods: 1,
    },
    {
      id: "CreatesFail",
      description: "More than a fifth of the creates end in error",
      metric: new MathExpression({
        expression: "IF(started > 9, 100 * failed / started, 0)",
        usingMetrics: { failed: executions("ExecutionsFailed"), started: executions("ExecutionsStarted") },
        period: FIVE_MINUTES,
        label: "failed, per cent",
      }),
      threshold: 20,
      periods: 3,
    },
    {
      id: "SchedulerLate",
      description: "The oldest message of the scheduler queue has waited for five minutes",
      metric: messaging.schedulerQueue.metricApproximateAgeOfOldestMessage({
        statistic: "Maximum",
        period: Duration.seconds(SWEEP_INTERVAL_SECONDS),
      }),
      threshold: 300,
      periods: 3,
    },
    {
      id: "OverdueVolumes",
      description: "The sweep put volumes in error that nothing else had decided",
      metric: ownMetric("sweptVolumes"),
      threshold: 1,
      periods: 1,
    },
    {
      id: "Orphans",
      description:
        "The audit found volumes on a backend that no record claims, or records whose volume is missing or of another size",
      metric: new MathExpression({
        expression: "orphans + missing + damaged",
        usingMetrics: {
          orphans: ownMetric("orphans", "Maximum"),
          missing: ownMetric("missingVolumes", "Maximum"),
          damaged: ownMetric("damagedVolumes", "Maximum"),
        },
        period: FIVE_MINUTES,
        label: "orphans, missing and damaged",
      }),
      threshold: 1,
      periods: 1,
      missing: TreatMissingData.IGNORE,
    },
    {
      id: "UnreadableRecords",
      description: "The audit found records that cannot be read; every function leaves their volumes alone",
      metric: ownMetric("unreadableRecords", "Maximum"),
      threshold: 1,
      periods: 1,
      missing: TreatMissingData.IGNORE,
    },
    {
      id: "NetsFail",
      description: "A function that puts lost volumes in error fails itself",
      metric: errorsOf(NETS),
      threshold: 1,
      periods: 3,
    },
    {
      id: "SweepNotRunning",
      description: "No sweep has ended: undecided volumes stay in their status",
      metric: ownMetric("sweptVolumes", "SampleCount", {}, periodOf(timeBounds.sweep_interval_seconds)),
      threshold: 1,
      periods: 2,
      comparison: ComparisonOperator.LESS_THAN_THRESHOLD,
      missing: TreatMissingData.BREACHING,
    },
    {
      id: "BackendsNotReported",
      description: "A backend does not report, or no backend does: no volume is placed on a backend with an old report",
      metric: ownMetric("unreportedBackends", "Maximum", {}, periodOf(timeBounds.report_interval_seconds)),
      threshold: 1,
      periods: 2,
      missing: TreatMissingData.BREACHING,
    },
    {
      id: "CreatesNotScheduled",
      description: "Creates ended in error because no backend could take them",
      metric: ownMetric("unscheduledCreates"),
      threshold: 1,
      periods: 1,
    },
    {
      id: "Throttled",
      description:
        "Functions of this account are throttled: creates are slower, and fail after two minutes of throttling",
      metric: new Metric({ namespace: "AWS/Lambda", metricName: "Throttles", ...sum }),
      threshold: 10,
      periods: 2,
    },
  ];
}

/** Whether an alarm is on one metric. Emulators have no metric math, and each metric of an expression is billed. */
export function isOnOneMetric({ metric }: AlarmDefinition): boolean {
  return metric.toMetricConfig().mathExpression === undefined;
}

/** The alarms as resources, each with its section of the runbook. */
export class Alarms extends Construct {
  readonly alarms: Alarm[];

  constructor(scope: Construct, id: string, definitions: readonly AlarmDefinition[], topic: ITopic) {
    super(scope, id);
    this.alarms = definitions.map((definition) => {
      const { id: alarmId, description, metric, threshold, periods, comparison, missing } = definition;
      const alarm = new Alarm(this, alarmId, {
        alarmDescription: `${description}. ${RUNBOOK}#${alarmId.toLowerCase()}`,
        metric,
        threshold,
        evaluationPeriods: periods,
        comparisonOperator: comparison ?? ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: missing ?? TreatMissingData.NOT_BREACHING,
      });
      alarm.addAlarmAction(new SnsAction(topic));
      return alarm;
    });
  }
}
