import { type MetricName, METRICS, METRICS_NAMESPACE } from "../core/metrics.ts";
import { simulated } from "./current-account.ts";

/** Stands for `lambdas/runtime/metrics.ts`: metrics are lines of the log, and alarms see those without dimensions of their own. */
export function writeMetrics(values: Partial<Record<MetricName, number>>, dimensions: object = {}): void {
  simulated().note("log", [values, dimensions]);
  if (Object.keys(dimensions).length === 0) {
    for (const [name, value] of Object.entries(values) as [MetricName, number][]) {
      simulated().measure(`${METRICS_NAMESPACE}/${METRICS[name]}`, value);
    }
  }
}
