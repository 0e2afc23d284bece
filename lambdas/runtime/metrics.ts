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
  // One for each line: dimensions that are kept between lines would mix invocations which share an environment.
  const metrics = new Metrics({ namespace: METRICS_NAMESPACE, serviceName: "cinderless" });
  for (const [name, value] of Object.entries(dimensions)) {
    metrics.addDimension(name, value);
  }
  for (const [name, value] of Object.entries(values) as [MetricName, number][]) {
    metrics.addMetric(METRICS[name], UNIT_OF[name] ?? MetricUnit.Count, value);
  }
  metrics.publishStoredMetrics();
}
