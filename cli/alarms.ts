import { paginateDescribeAlarms, type CloudWatchClient, type MetricAlarm } from "@aws-sdk/client-cloudwatch";
import type { Alarm, Alarms } from "./connection.ts";

/** The alarms of a stack, through CloudWatch's API, which the embedded cloud answers as well. */
export class CloudWatchAlarms implements Alarms {
  readonly #client: CloudWatchClient;
  readonly #topicArn: string;

  /** @param topicArn the topic that every alarm of the stack notifies */
  constructor(client: CloudWatchClient, topicArn: string) {
    this.#client = client;
    this.#topicArn = topicArn;
  }

  async list(): Promise<Alarm[]> {
    const alarms: Alarm[] = [];
    const pages = paginateDescribeAlarms({ client: this.#client }, { ActionPrefix: this.#topicArn });
    for await (const { MetricAlarms: page = [] } of pages) {
      alarms.push(...page.map(alarmOf));
    }
    return alarms;
  }
}

function alarmOf(alarm: MetricAlarm): Alarm {
  const since = alarm.StateTransitionedTimestamp ?? alarm.StateUpdatedTimestamp;
  return {
    name: alarm.AlarmName ?? "",
    description: alarm.AlarmDescription ?? "",
    state: alarm.StateValue ?? "INSUFFICIENT_DATA",
    reason: alarm.StateReason ?? "",
    since: since?.toISOString() ?? null,
  };
}
