import {
  alarmOf,
  type AlarmProperties,
  type AlarmSettings,
  type WatchedMetric,
} from "@cinderless/embedded-cloud/monitoring";
import { functionNameIn, type Template } from "../infra/inline-template.ts";

/** The alarms of a template, each under its construct's id, which is its section of the runbook. Their metrics name functions as the code does. */
export function readAlarms({ Resources: resources }: Template): AlarmSettings[] {
  return Object.entries(resources)
    .filter(([, { Type }]) => Type === "AWS::CloudWatch::Alarm")
    .map(([logicalId, { Properties }]) => {
      const id = /Alarms(\w+)[0-9A-F]{8}$/.exec(logicalId)?.[1] ?? logicalId;
      const alarm = alarmOf(id, Properties as AlarmProperties);
      return { ...alarm, metrics: alarm.metrics.map(withFunctionName) };
    });
}

function withFunctionName(metric: WatchedMetric): WatchedMetric {
  const name = functionNameIn(metric.dimensions["FunctionName"] ?? "");
  return name === undefined ? metric : { ...metric, dimensions: { ...metric.dimensions, FunctionName: name } };
}
