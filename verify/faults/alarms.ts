import type { Template } from "../../infra/inline-template.ts";
import { alarmOf, type AlarmProperties, type AlarmSettings } from "../../local/cloud/monitoring/alarms.ts";

/** The alarms of a template, each under its construct's id, which is its section of the runbook. */
export function readAlarms({ Resources: resources }: Template): AlarmSettings[] {
  return Object.entries(resources)
    .filter(([, { Type }]) => Type === "AWS::CloudWatch::Alarm")
    .map(([logicalId, { Properties }]) => {
      const id = /Alarms(\w+)[0-9A-F]{8}$/.exec(logicalId)?.[1] ?? logicalId;
      return alarmOf(id, Properties as AlarmProperties);
    });
}
