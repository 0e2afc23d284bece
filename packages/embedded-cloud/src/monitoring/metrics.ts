import { isJsonObject } from "../json.ts";

/** The values of a metric in one minute. */
type Minute = { sum: number; count: number; maximum: number };

/** Longer than every window of an alarm: two periods of an hour, and some more. */
const KEPT_MINUTES = 240;

const MINUTE_MILLISECONDS = 60_000;

/** Statistics that {@link Metrics.statistic} knows. */
export const STATISTICS: readonly string[] = ["Sum", "SampleCount", "Maximum"];

/** CloudWatch's metrics, in memory, by the minute. A metric is its name with all of its dimensions, as on AWS. */
export class Metrics {
  readonly #minutes = new Map<string, Map<number, Minute>>();

  /** @param name `Namespace/MetricName` */
  record(name: string, dimensions: Readonly<Record<string, string>>, value: number, atMs: number): void {
    const key = keyOf(name, dimensions);
    const minutes = this.#minutes.get(key) ?? new Map<number, Minute>();
    const minute = Math.floor(atMs / MINUTE_MILLISECONDS);
    const { sum, count, maximum } = minutes.get(minute) ?? { sum: 0, count: 0, maximum: -Infinity };
    minutes.set(minute, { sum: sum + value, count: count + 1, maximum: Math.max(maximum, value) });
    if (minutes.size > KEPT_MINUTES) {
      for (const old of minutes.keys()) if (old < minute - KEPT_MINUTES) minutes.delete(old);
    }
    this.#minutes.set(key, minutes);
  }

  /**
   * A statistic of the minutes from `fromMs` to before `untilMs`; undefined when nothing was recorded in them.
   *
   * @throws Error for a statistic that is not known
   */
  statistic(
    name: string,
    dimensions: Readonly<Record<string, string>>,
    statistic: string,
    [fromMs, untilMs]: readonly [number, number],
  ): number | undefined {
    const [from, until] = [fromMs, untilMs].map((time) => Math.floor(time / MINUTE_MILLISECONDS)) as [number, number];
    const all = this.#minutes.get(keyOf(name, dimensions)) ?? [];
    const within = [...all].filter(([minute]) => minute >= from && minute < until).map(([, values]) => values);
    if (within.length === 0) return undefined;
    switch (statistic) {
      case "Sum":
        return within.reduce((sum, minute) => sum + minute.sum, 0);
      case "SampleCount":
        return within.reduce((sum, minute) => sum + minute.count, 0);
      case "Maximum":
        return Math.max(...within.map(({ maximum }) => maximum));
      default:
        throw new Error(`no statistic ${statistic} is known here`);
    }
  }

  /**
   * Records what a line of a function's log says in CloudWatch's embedded metric format; any other line is passed over.
   *
   * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
   */
  recordLine(line: string, atMs: number): void {
    const start = line.indexOf('{"_aws":');
    if (start < 0) return;
    let document: unknown;
    try {
      document = JSON.parse(line.slice(start));
    } catch {
      return;
    }
    if (!isJsonObject(document) || !isJsonObject(document["_aws"])) return;
    const values = document as Readonly<Record<string, unknown>>;
    for (const directive of listOf(document["_aws"]["CloudWatchMetrics"])) {
      const { Namespace: namespace, Dimensions: sets, Metrics: metrics } = directive as EmbeddedDirective;
      for (const { Name: name } of listOf(metrics) as { Name: string }[]) {
        for (const names of listOf(sets) as string[][]) {
          const dimensions = Object.fromEntries(names.map((each) => [each, String(values[each])]));
          for (const value of [values[name]].flat()) {
            if (typeof value === "number") this.record(`${String(namespace)}/${name}`, dimensions, value, atMs);
          }
        }
      }
    }
  }
}

type EmbeddedDirective = { Namespace?: unknown; Dimensions?: unknown; Metrics?: unknown };

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function keyOf(name: string, dimensions: Readonly<Record<string, string>>): string {
  const entries = Object.entries(dimensions).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([name, entries]);
}
