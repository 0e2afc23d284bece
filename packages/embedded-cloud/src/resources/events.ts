import { patternProblems } from "../events/event-pattern.ts";
import type { EventTarget } from "../events/event-rules.ts";
import { parseRate, ScheduleExpressionError } from "../events/schedule-expression.ts";
import { arrayOrEmpty, isJsonObject, objectOrEmpty, textOf } from "../json.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { arnOf, physicalName } from "../physical-names.ts";
import type { ResourceHandler } from "./resource-handler.ts";
import { unsupported } from "./resource-handler.ts";

const TARGET_PROPERTIES = ["Id", "Arn", "Input", "InputPath", "DeadLetterConfig", "RetryPolicy", "RoleArn"];

/**
 * AWS::Events::Rule on the default bus. A rate fires; a pattern sees the status changes of executions, the only events here. Retry
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
    ...arrayOrEmpty(properties["Targets"]).flatMap((target) => targetProblems(objectOrEmpty(target))),
  ],
  deploy: ({ properties }, { attributes }, { rules }) => {
    if (properties["State"] === "DISABLED") return;
    const { EventPattern: pattern, ScheduleExpression: expression } = properties;
    rules.add({
      arn: attributes["Arn"] ?? "",
      pattern: isJsonObject(pattern) ? pattern : undefined,
      periodSeconds: expression === undefined ? undefined : parseRate(textOf(expression)),
      targets: arrayOrEmpty(properties["Targets"]).map((target) => targetOf(objectOrEmpty(target))),
    });
  },
};

function scheduleProblems(expression: JsonValue | undefined): string[] {
  try {
    parseRate(textOf(expression));
    return [];
  } catch (error) {
    if (error instanceof ScheduleExpressionError) return [`property ScheduleExpression: ${error.message}`];
    throw error;
  }
}

function targetProblems(target: JsonObject): string[] {
  const arn = textOf(target["Arn"]);
  return [
    ...Object.keys(target)
      .filter((key) => !TARGET_PROPERTIES.includes(key))
      .map((key) => unsupported(`Targets.${key}`)),
    ...(/:lambda:.*:function:|:sqs:/.test(arn) ? [] : [unsupported(`Targets.Arn ${arn}`)]),
    ...(target["InputPath"] !== undefined && !/^\$(\.[\w-]+)*$/.test(textOf(target["InputPath"]))
      ? [unsupported("Targets.InputPath")]
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
