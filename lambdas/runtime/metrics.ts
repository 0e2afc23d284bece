import { type MetricName, METRICS, METRICS_NAMESPACE } from "../../core/metrics.ts";

/** Metrics that are not counts. */
const UNIT_OF: Partial<Record<MetricName, "Milliseconds">> = { createDuration: "Milliseconds" };

/** A dimension that all metrics have. */
const SERVICE = { service: "cinderless" };

/**
 * Writes metrics into the function's log in CloudWatch's embedded metric format, one line for each call: no request is made, and nothing
 * can fail. In addition to the dimensions that are named here each metric has `service`.
 *
 * Written without Powertools, whose writer of this one JSON document would add 11 kB to each bundle.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function writeMetrics(
  values: Readonly<Partial<Record<MetricName, number>>>,
  dimensions: Readonly<Record<string, string>> = {},
): void {
  const entries = Object.entries(values) as [MetricName, number][];
  if (entries.length === 0) {
    return;
  }
  const targets = { ...SERVICE, ...dimensions };
  const directive = {
    Namespace: METRICS_NAMESPACE,
    Dimensions: [Object.keys(targets)],
    Metrics: entries.map(([name]) => ({ Name: METRICS[name], Unit: UNIT_OF[name] ?? "Count" })),
  };
  const document = {
    _aws: { Timestamp: Date.now(), CloudWatchMetrics: [directive] },
    ...targets,
    ...Object.fromEntries(entries.map(([name, value]) => [METRICS[name], value])),
  };
  // Not through the console, which puts time and request before a line: then it is not a JSON document.
  process.stdout.write(`${JSON.stringify(document)}\n`);
}
