import type { ExecutionStatus, ExecutionView } from "../states/executions.ts";
import { alarmOf, type AlarmProperties, type AlarmSettings, type AlarmState, nextState, valuesOf } from "./alarms.ts";
import { Metrics, STATISTICS } from "./metrics.ts";

/** An alarm with its state, in the form of DescribeAlarms. */
export type AlarmView = {
  name: string;
  arn: string;
  properties: Readonly<AlarmProperties & { AlarmDescription?: string }>;
  state: AlarmState;
  reason: string;
  /** Epoch milliseconds of the last change of the state. */
  since: number;
};

/** The messages of a queue; the age is 0 without a message. */
export type QueueState = { name: string; visible: number; oldestAgeSeconds: number };

/** Values that the monitoring reads itself, in addition to those that it receives. */
export type MonitoringOptions = {
  now: () => number;
  queues: () => Promise<readonly QueueState[]>;
};

/** CloudWatch as far as alarms need it: metrics of functions, executions and queues, and the alarms of the template on them. */
export type Monitoring = {
  addAlarm(name: string, arn: string, properties: AlarmProperties): void;
  /** A line of a function's log. */
  logged(line: string): void;
  invoked(functionName: string, failed: boolean): void;
  executionStatusChanged(execution: Pick<ExecutionView, "stateMachineArn" | "status">): void;
  /** The alarms as they are now. */
  alarms(): Promise<readonly AlarmView[]>;
  stop(): void;
};

/** How often alarms are evaluated by themselves, as CloudWatch does. */
const EVALUATION_MILLISECONDS = 60_000;

const EXECUTION_METRICS: Readonly<Record<ExecutionStatus, string>> = {
  RUNNING: "ExecutionsStarted",
  SUCCEEDED: "ExecutionsSucceeded",
  FAILED: "ExecutionsFailed",
  TIMED_OUT: "ExecutionsTimedOut",
  ABORTED: "ExecutionsAborted",
};

type Watched = AlarmView & { settings: AlarmSettings | undefined };

/**
 * Starts without data: an alarm whose window reaches back before the start, and which counts missing data as a breach, waits. Metrics are
 * in memory only, so a restart begins again.
 */
export function startMonitoring({ now, queues }: MonitoringOptions): Monitoring {
  const startedAt = now();
  const metrics = new Metrics();
  const watched: Watched[] = [];
  const evaluate = async (): Promise<void> => {
    const at = now();
    for (const { name, visible, oldestAgeSeconds } of await queues()) {
      metrics.record("AWS/SQS/ApproximateNumberOfMessagesVisible", { QueueName: name }, visible, at);
      metrics.record("AWS/SQS/ApproximateAgeOfOldestMessage", { QueueName: name }, oldestAgeSeconds, at);
    }
    for (const alarm of watched) evaluateAlarm(alarm, metrics, startedAt, at);
  };
  const timer = setInterval(() => void evaluate().catch(() => undefined), EVALUATION_MILLISECONDS);
  timer.unref();
  return {
    addAlarm: (name, arn, properties) => {
      const settings = settingsOf(name, properties);
      const known = watched.findIndex((alarm) => alarm.name === name);
      const reason =
        settings === undefined ? "This alarm cannot be evaluated by the embedded cloud" : "No evaluation yet";
      const alarm: Watched = { name, arn, properties, settings, state: "INSUFFICIENT_DATA", reason, since: now() };
      if (known < 0) watched.push(alarm);
      else watched[known] = alarm;
    },
    logged: (line) => metrics.recordLine(line, now()),
    invoked: (functionName, failed) =>
      metrics.record("AWS/Lambda/Errors", { FunctionName: functionName }, failed ? 1 : 0, now()),
    executionStatusChanged: ({ stateMachineArn, status }) =>
      metrics.record(`AWS/States/${EXECUTION_METRICS[status]}`, { StateMachineArn: stateMachineArn }, 1, now()),
    alarms: async () => {
      await evaluate();
      return watched;
    },
    stop: () => clearInterval(timer),
  };
}

function settingsOf(name: string, properties: AlarmProperties): AlarmSettings | undefined {
  try {
    const settings = alarmOf(name, properties);
    if (settings.metrics.some(({ statistic }) => !STATISTICS.includes(statistic))) return undefined;
    valuesOf(settings, Object.fromEntries(settings.metrics.map(({ id }) => [id, [0]])));
    return settings;
  } catch {
    return undefined;
  }
}

/** Periods end with this minute, so that what is wrong now counts at once. */
function evaluateAlarm(alarm: Watched, metrics: Metrics, startedAt: number, at: number): void {
  const { settings } = alarm;
  if (settings === undefined) return;
  const periodMs = settings.periodSeconds * 1000;
  const end = Math.floor(at / EVALUATION_MILLISECONDS) * EVALUATION_MILLISECONDS + EVALUATION_MILLISECONDS;
  const spans = Array.from({ length: settings.periods }, (_, back) => {
    const until = end - back * periodMs;
    return [until - periodMs, until] as const;
  });
  const series = settings.metrics.map(
    ({ id, name, dimensions, statistic }) =>
      [id, spans.map((span) => metrics.statistic(name, dimensions, statistic, span))] as const,
  );
  const window = valuesOf(settings, Object.fromEntries(series));
  const isYoung = (spans.at(-1)?.[0] ?? 0) < startedAt;
  let state = nextState(settings, window, alarm.state);
  if (state === "ALARM" && isYoung && window.every((value) => value === undefined)) state = "INSUFFICIENT_DATA";
  if (state !== alarm.state) alarm.since = at;
  alarm.state = state;
  alarm.reason = `${settings.periods} period(s) of ${settings.periodSeconds} s: ${window
    .map((value) => value ?? "no data")
    .join(", ")}; threshold ${settings.threshold}`;
}
