import {
  type AlarmSettings,
  type Series,
  statesOf,
  valuesOf,
  type WatchedMetric,
} from "@cinderless/embedded-cloud/monitoring";

/** One value of a metric. */
type Datum = { value: number; atMs: number };

/**
 * CloudWatch of a simulated account: the metrics that functions write and that Lambda and Step Functions count, and the template's
 * alarms on them. Queues' own metrics are not simulated.
 */
export class Monitor {
  /** Absent in an account by hand that has none. */
  readonly #alarms: readonly AlarmSettings[] | undefined;
  readonly #startMs: number;
  readonly #data = new Map<string, Datum[]>();

  constructor(alarms: readonly AlarmSettings[] | undefined, startMs: number) {
    this.#alarms = alarms;
    this.#startMs = startMs;
  }

  /** Whether there are alarms at all. */
  get isSetUp(): boolean {
    return this.#alarms !== undefined;
  }

  /** @param metric `Namespace/MetricName`, of a function followed by a space and its name */
  record(metric: string, value: number, atMs: number): void {
    const data = this.#data.get(metric) ?? [];
    data.push({ value, atMs });
    this.#data.set(metric, data);
  }

  /** Whether the metric was ever more than 0, and an alarm that notifies somebody watches it. */
  hasRaised(metric: string): boolean {
    const isWatched = (this.#alarms ?? []).some(
      ({ acts, metrics }) => acts && metrics.some((each) => keyOf(each) === metric),
    );
    return isWatched && (this.#data.get(metric) ?? []).some(({ value }) => value > 0);
  }

  /** The alarms that were on at any time until then. */
  alarmed(untilMs: number): string[] {
    return (this.#alarms ?? []).flatMap((alarm) => {
      const periods = Math.ceil((untilMs - this.#startMs) / (alarm.periodSeconds * 1000));
      const series = alarm.metrics.map((metric) => [metric.id, this.#seriesOf(metric, periods)] as const);
      const states = statesOf(alarm, valuesOf(alarm, Object.fromEntries(series)));
      return states.includes("ALARM") ? [alarm.id] : [];
    });
  }

  #seriesOf(metric: WatchedMetric, periods: number): Series {
    const data = this.#data.get(keyOf(metric)) ?? [];
    const periodMs = metric.periodSeconds * 1000;
    return Array.from({ length: periods }, (_, period) => {
      const from = this.#startMs + period * periodMs;
      return statisticOf(
        metric.statistic,
        data.filter(({ atMs }) => atMs >= from && atMs < from + periodMs).map(({ value }) => value),
      );
    });
  }
}

function keyOf({ name, dimensions }: WatchedMetric): string {
  const functionName = dimensions["FunctionName"];
  return functionName === undefined ? name : `${name} ${functionName}`;
}

function statisticOf(statistic: string, values: readonly number[]): number | undefined {
  if (values.length === 0) {
    return undefined;
  }
  switch (statistic) {
    case "Sum":
      return values.reduce((sum, value) => sum + value, 0);
    case "Maximum":
      return Math.max(...values);
    case "SampleCount":
      return values.length;
    default:
      throw new Error(`no statistic ${statistic} is known`);
  }
}
