import { type Api, failure } from "../compute-server.ts";
import { isJsonObject, type JsonObject, textOf } from "../json.ts";
import type { AlarmView, Monitoring } from "./monitoring.ts";

const TARGET = "GraniteServiceVersion20100801.";

/**
 * CloudWatch's DescribeAlarms, in the JSON protocol of the AWS SDKs, with the filters `AlarmNames`, `AlarmNamePrefix`, `ActionPrefix` and
 * `StateValue`. All alarms are on one page.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
 */
export function createCloudWatchApi(monitoring: Monitoring): Api {
  return (request) => {
    const target = request.headers["x-amz-target"];
    if (target !== `${TARGET}DescribeAlarms`) return undefined;
    return describe(monitoring, request.body);
  };
}

async function describe(monitoring: Monitoring, body: string) {
  let request: unknown;
  try {
    request = JSON.parse(body === "" ? "{}" : body);
  } catch (error) {
    return failure(400, "SerializationException", (error as Error).message);
  }
  if (!isJsonObject(request)) return failure(400, "SerializationException", "the request is not a JSON object");
  const alarms = (await monitoring.alarms()).filter(matcherOf(request));
  return { status: 200, body: JSON.stringify({ MetricAlarms: alarms.map(alarmDocument), CompositeAlarms: [] }) };
}

function matcherOf({ AlarmNames, AlarmNamePrefix = "", ActionPrefix = "", StateValue }: JsonObject) {
  return ({ name, state, properties }: AlarmView): boolean =>
    (!Array.isArray(AlarmNames) || AlarmNames.includes(name)) &&
    name.startsWith(textOf(AlarmNamePrefix, "")) &&
    (ActionPrefix === "" || actionsOf(properties).some((action) => action.startsWith(textOf(ActionPrefix, "")))) &&
    (StateValue === undefined || StateValue === state);
}

function actionsOf({ AlarmActions: actions = [] }: AlarmView["properties"]): string[] {
  return actions.map(String);
}

/** Times are seconds in this protocol. */
function alarmDocument({ name, arn, properties, state, reason, since }: AlarmView): object {
  const { Metrics: metrics, ...others } = properties;
  return {
    ...others,
    ...(metrics !== undefined && { Metrics: metrics }),
    AlarmName: name,
    AlarmArn: arn,
    ActionsEnabled: properties.ActionsEnabled ?? true,
    StateValue: state,
    StateReason: reason,
    StateUpdatedTimestamp: since / 1000,
    StateTransitionedTimestamp: since / 1000,
  };
}
