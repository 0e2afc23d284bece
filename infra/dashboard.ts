import { Duration } from "aws-cdk-lib";
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  Row,
  SingleValueWidget,
} from "aws-cdk-lib/aws-cloudwatch";
import type { Construct } from "constructs";
import { executionMetric, type ExecutionMetric, ownMetric, type WatchedParts } from "./alarms.ts";

const WIDE = 24;
const HALF = 12;

/**
 * One page to read in a minute, most important first: alarms, the rate of creates, their duration, waiting work, rescheduled and failed
 * creates.
 */
export function overview(scope: Construct, { messaging, workflow }: WatchedParts, alarms: Alarm[]): Dashboard {
  const executions = (metricName: ExecutionMetric, label?: string): IMetric =>
    executionMetric(workflow, metricName, label);
  const graph = (title: string, left: IMetric[], width = HALF): GraphWidget =>
    new GraphWidget({ title, left, width, height: 6, leftYAxis: { min: 0 } });
  const dashboard = new Dashboard(scope, "Overview", { defaultInterval: Duration.hours(6) });
  dashboard.addWidgets(
    new AlarmStatusWidget({ title: "Alarms that need a person", alarms, width: WIDE, height: 3 }),
    new Row(
      new SingleValueWidget({
        title: "Creates",
        metrics: [
          executions("ExecutionsStarted", "started"),
          executions("ExecutionsSucceeded", "succeeded"),
          executions("ExecutionsFailed", "failed"),
        ],
        width: WIDE,
        height: 3,
        setPeriodToTimeRange: true,
      }),
    ),
    new Row(
      graph("Creates by end", [
        executions("ExecutionsSucceeded", "created or rescheduled"),
        executions("ExecutionsFailed", "in error"),
        executions("ExecutionsTimedOut", "timed out"),
        executions("ExecutionsAborted", "aborted"),
      ]),
      graph("Time to available, ms", [
        ownMetric("createDuration", "p50").with({ label: "half" }),
        ownMetric("createDuration", "p99").with({ label: "99 of 100" }),
      ]),
    ),
    new Row(
      graph("Waiting for the scheduler", [
        messaging.schedulerQueue.metricApproximateNumberOfMessagesVisible({ label: "messages" }),
        messaging.schedulerQueue.metricApproximateAgeOfOldestMessage({ label: "age of the oldest, s" }),
      ]),
      graph("Sent back to the scheduler, swept, dead letters", [
        ownMetric("reschedules").with({ label: "rescheduled" }),
        ownMetric("sweptVolumes").with({ label: "taken by the sweep" }),
        ownMetric("deadLetters").with({ label: "dead letters" }),
      ]),
    ),
    new Row(
      graph(
        "Failed attempts by error",
        ["final", "reschedulable", "uncertain"].map((route) =>
          ownMetric("failures", "Sum", { route }).with({ label: route }),
        ),
      ),
      graph("Findings of the audit", [
        ownMetric("orphans", "Maximum").with({ label: "orphans" }),
        ownMetric("missingVolumes", "Maximum").with({ label: "missing" }),
        ownMetric("damagedVolumes", "Maximum").with({ label: "damaged" }),
        ownMetric("suspects", "Maximum").with({ label: "suspects" }),
      ]),
    ),
    new Row(
      graph(
        "Image-volume cache, if a backend has one",
        [
          ownMetric("imageCacheHits").with({ label: "cloned from it" }),
          ownMetric("imageCacheMisses").with({ label: "downloaded" }),
          ownMetric("imageCacheEvictions").with({ label: "evicted" }),
        ],
        WIDE,
      ),
    ),
  );
  return dashboard;
}
