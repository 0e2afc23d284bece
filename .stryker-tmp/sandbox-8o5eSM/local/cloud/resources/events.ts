// @ts-nocheck
import { patternProblems } from "../events/event-pattern.ts";
import type { EventTarget } from "../events/event-rules.ts";
import { parseScheduleExpression, ScheduleExpressionError } from "../events/schedule-expression.ts";
import { arrayOrEmpty, isJsonObject, objectOrEmpty, textOf } from "../json.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { arnOf, physicalName } from "../physical-names.ts";
import type { ResourceHandler } from "./resource-handler.ts";
import { unsupported } from "./resource-handler.ts";

const TARGET_PROPERTIES = ["Id", "Arn", "Input", "InputPath", "DeadLetterConfig", "RetryPolicy", "RoleArn"];

/**
 * AWS::Events::Rule on the default bus. A schedule fires; a pattern sees the status changes of executions, the only events here. Retry
 * policy and dead-letter queue of a target are accepted: delivery inside this cloud does not fail.
 */
export const eventsRule: ResourceHandler = {
  properties: [
    "Name",
    "Description",
    "EventPattern",
    "ScheduleExpression",
    "State",
    "Targets",
    "RoleArn",
    "EventBusName",
    "Tags",
  ],
  identify: ({ logicalId, properties }, context) => {
    const name = textOf(properties["Name"], physicalName(context, logicalId, 64));
    return { ref: name, attributes: { Arn: arnOf(context, "events", `rule/${name}`) } };
  },
  check: ({ properties }) => [
    ...(properties["EventPattern"] === undefined ? [] : patternProblems(properties["EventPattern"])),
    ...(properties["ScheduleExpression"] === undefined ? [] : scheduleProblems(properties["ScheduleExpression"])),
    ...((properties["EventBusName"] ?? "default") === "default" ? [] : [unsupported("EventBusName")]),
    ...arrayOrEmpty(properties["Targets"]).flatMap((target) =>
      targetProblems(objectOrEmpty(target), "Targets", TARGET_PROPERTIES),
    ),
  ],
  deploy: ({ properties }, { attributes }, { rules }) => {
    if (properties["State"] === "DISABLED") return;
    const { EventPattern: pattern, ScheduleExpression: expression } = properties;
    rules.add({
      arn: attributes["Arn"] ?? "",
      source: "aws.events",
      pattern: isJsonObject(pattern) ? pattern : undefined,
      schedule: expression === undefined ? undefined : parseScheduleExpression(textOf(expression)),
      targets: arrayOrEmpty(properties["Targets"]).map((target) => targetOf(objectOrEmpty(target))),
    });
  },
};

const SCHEDULE_TARGET_PROPERTIES = ["Arn", "Input", "RoleArn", "DeadLetterConfig", "RetryPolicy"];

/** AWS::Scheduler::Schedule of a function or a queue. Flexible windows fire at their start, time zones other than UTC are refused. */
export const schedulerSchedule: ResourceHandler = {
  properties: [
    "Name",
    "Description",
    "GroupName",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "FlexibleTimeWindow",
    "State",
    "Target",
    "KmsKeyArn",
  ],
  identify: ({ logicalId, properties }, context) => {
    const name = textOf(properties["Name"], physicalName(context, logicalId, 64));
    const group = textOf(properties["GroupName"], "default");
    return {
      ref: name,
      attributes: { Arn: arnOf(context, "scheduler", `schedule/${group}/${name}`) },
    };
  },
  check: ({ properties }) => [
    ...scheduleProblems(properties["ScheduleExpression"]),
    ...targetProblems(objectOrEmpty(properties["Target"]), "Target", SCHEDULE_TARGET_PROPERTIES),
    ...(["UTC", "Etc/UTC", undefined].includes(properties["ScheduleExpressionTimezone"] as string | undefined)
      ? []
      : [unsupported(`ScheduleExpressionTimezone ${textOf(properties["ScheduleExpressionTimezone"])}`)]),
  ],
  deploy: ({ properties }, { attributes }, { rules }) => {
    if (properties["State"] === "DISABLED") return;
    rules.add({
      arn: attributes["Arn"] ?? "",
      source: "aws.scheduler",
      pattern: undefined,
      schedule: parseScheduleExpression(textOf(properties["ScheduleExpression"])),
      targets: [targetOf(objectOrEmpty(properties["Target"]))],
    });
  },
};

/** AWS::Scheduler::ScheduleGroup: a name. */
export const schedulerScheduleGroup: ResourceHandler = {
  properties: ["Name", "Tags"],
  identify: ({ logicalId, properties }, context) => {
    const name = textOf(properties["Name"], physicalName(context, logicalId, 64));
    return {
      ref: name,
      attributes: { Arn: arnOf(context, "scheduler", `schedule-group/${name}`) },
    };
  },
};

function scheduleProblems(expression: JsonValue | undefined): string[] {
  try {
    parseScheduleExpression(textOf(expression));
    return [];
  } catch (error) {
    if (error instanceof ScheduleExpressionError) return [`property ScheduleExpression: ${error.message}`];
    throw error;
  }
}

function targetProblems(target: JsonObject, property: string, supported: readonly string[]): string[] {
  const arn = textOf(target["Arn"]);
  return [
    ...Object.keys(target)
      .filter((key) => !supported.includes(key))
      .map((key) => unsupported(`${property}.${key}`)),
    ...(/:lambda:.*:function:|:sqs:/.test(arn) ? [] : [unsupported(`${property}.Arn ${arn}`)]),
    ...(target["InputPath"] !== undefined && !/^\$(\.[\w-]+)*$/.test(textOf(target["InputPath"]))
      ? [unsupported(`${property}.InputPath`)]
      : []),
  ];
}

function targetOf({ Arn, Input, InputPath }: JsonObject): EventTarget {
  return {
    arn: textOf(Arn),
    input: Input === undefined ? undefined : textOf(Input),
    inputPath: InputPath === undefined ? undefined : textOf(InputPath),
  };
}
