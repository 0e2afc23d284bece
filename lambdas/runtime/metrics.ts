import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { type MetricName, METRICS, METRICS_NAMESPACE } from "../../core/metrics.ts";

/** Metrics that are no counts. */
const UNIT_OF: Partial<Record<MetricName, (typeof MetricUnit)[keyof typeof MetricUnit]>> = {
  createDuration: MetricUnit.Milliseconds,
};

/**
 * Writes metrics into the function's log in CloudWatch's embedded metric format, one line for each call: no request is made, and
 * nothing can fail. Beside the dimensions that are named here each metric has `service`.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function writeMetrics(
  values: Readonly<Partial<Record<MetricName, number>>>,
  dimensions: Readonly<Record<string, string>> = {},
): void {
  const metrics = metricsOf(dimensions);
  for (const [name, value] of Object.entries(values) as [MetricName, number][]) {
    metrics.addMetric(METRICS[name], UNIT_OF[name] ?? MetricUnit.Count, value);
  }
  metrics.publishStoredMetrics();
}

/** One for each set of dimensions, for it takes a while to make: what is added is written in the same turn, so nothing mixes. */
const made = new Map<string, Metrics>();

function metricsOf(dimensions: Readonly<Record<string, string>>): Metrics {
  const key = JSON.stringify(dimensions);
  const known = made.get(key);
  if (known !== undefined) {
    return known;
  }
  const options = { namespace: METRICS_NAMESPACE, serviceName: "cinderless", defaultDimensions: { ...dimensions } };
  const metrics = new Metrics(options);
  made.set(key, metrics);
  return metrics;
}
