import { describe, expect, it } from "vitest";
import { type AlarmSettings, type Series, statesOf, valuesOf } from "@cinderless/embedded-cloud/monitoring";
import { inlineTemplate } from "../../infra/inline-template.ts";
import { readAlarms } from "../../simulation/alarms.ts";

/** Each alarm of the template, evaluated on what CloudWatch would have of it: where it goes off, and just below. */

const alarms = readAlarms(inlineTemplate({ fileSystem: "none" }));

function alarmNamed(id: string): AlarmSettings {
  const found = alarms.find((alarm) => alarm.id === id);
  if (found === undefined) {
    throw new Error(`there is no alarm ${id}`);
  }
  return found;
}

/** `Errors of SweepOverdueVolumes`, `ExecutionsFailed by alias`, `Orphans`: how the samples below name a metric. */
function shortNameOf({ name, dimensions }: AlarmSettings["metrics"][number]): string {
  const metric = name.slice(name.lastIndexOf("/") + 1);
  const functionName = dimensions["FunctionName"];
  return functionName === undefined
    ? `${metric}${dimensions["Alias"] === undefined ? "" : " by alias"}`
    : `${metric} of ${functionName}`;
}

type Samples = Record<string, Series>;

/** The last state when the metrics have had these values; a metric that is not named has no data. */
function stateAfter(id: string, samples: Samples): string {
  const alarm = alarmNamed(id);
  const names = alarm.metrics.map(shortNameOf);
  const strangers = Object.keys(samples).filter((name) => !names.includes(name));
  expect(strangers, `metrics of ${id}: ${names.join(", ")}`).toEqual([]);
  const length = Math.max(...Object.values(samples).map((series) => series.length));
  const none: Series = Array.from({ length }, () => undefined);
  const series = Object.fromEntries(alarm.metrics.map((metric) => [metric.id, samples[shortNameOf(metric)] ?? none]));
  return statesOf(alarm, valuesOf(alarm, series)).at(-1) ?? "";
}

const none = undefined;

describe("an alarm goes off", () => {
  it.each<[string, Samples]>([
    ["DeadLetters", { DeadLetters: [1] }],
    ["DeadLettersNotConsumed", { ApproximateNumberOfMessagesVisible: [1, 1, 1] }],
    ["EventsLost", { ApproximateNumberOfMessagesVisible: [1] }],
    ["ExecutionsBroken", { ExecutionsTimedOut: [1] }],
    ["ExecutionsBroken", { ExecutionsAborted: [1] }],
    ["ExecutionsBroken", { "ExecutionsAborted by alias": [1] }],
    ["CreatesFail", { ExecutionsStarted: [10, 10, 10], ExecutionsFailed: [2, 2, 2] }],
    ["CreatesFail", { "ExecutionsStarted by alias": [50, 50, 50], "ExecutionsFailed by alias": [50, 50, 50] }],
    [
      "CreatesFail",
      { ExecutionsStarted: [10, 10, 10], ExecutionsFailed: [1, 1, 1], "ExecutionsFailed by alias": [2, 2, 2] },
    ],
    ["SchedulerLate", { ApproximateAgeOfOldestMessage: [300, 300, 300] }],
    ["OverdueVolumes", { SweptVolumes: [1] }],
    ["Orphans", { Orphans: [1], MissingVolumes: [0], DamagedVolumes: [0] }],
    ["Orphans", { Orphans: [0], MissingVolumes: [1], DamagedVolumes: [0] }],
    ["Orphans", { Orphans: [1, ...Array<undefined>(11).fill(none)], MissingVolumes: [0], DamagedVolumes: [0] }],
    ["Orphans", { Orphans: [0], MissingVolumes: [0], DamagedVolumes: [1] }],
    ["UnreadableRecords", { UnreadableRecords: [1] }],
    ["UnreadableRecords", { UnreadableRecords: [1, ...Array<undefined>(11).fill(none)] }],
    ["NetsFail", { "Errors of SweepOverdueVolumes": [1, 1, 1] }],
    ["NetsFail", { "Errors of ErrorOutVolume": [1, 1, 1] }],
    ["NetsFail", { "Errors of ErrorOutFailedExecution": [1, 1, 1], "Errors of SweepOverdueVolumes": [0, 0, 0] }],
    ["NetsFail", { "Errors of ErrorOutVolume": [1, none, none], "Errors of SweepOverdueVolumes": [0, 1, 2] }],
    ["SweepNotRunning", { SweptVolumes: [5, none, none] }],
    ["SweepNotRunning", { SweptVolumes: [none, none] }],
    ["BackendsNotReported", { UnreportedBackends: [1, 1] }],
    ["BackendsNotReported", { UnreportedBackends: [0, none, none] }],
    ["BackendsNotReported", { UnreportedBackends: [none, none] }],
    ["BackendsNotReported", { UnreportedBackends: [2, none] }],
    ["CreatesNotScheduled", { UnscheduledCreates: [1] }],
    ["Throttled", { Throttles: [10, 10] }],
  ])("%s by %j", (id, samples) => {
    expect(stateAfter(id, samples)).toBe("ALARM");
  });
});

describe("an alarm does not go off", () => {
  it.each<[string, Samples]>([
    ["DeadLetters", { DeadLetters: [0] }],
    ["DeadLetters", { DeadLetters: [1, none] }],
    ["DeadLettersNotConsumed", { ApproximateNumberOfMessagesVisible: [5, 1, 0, 1, 1] }],
    ["EventsLost", { ApproximateNumberOfMessagesVisible: [0] }],
    ["ExecutionsBroken", { ExecutionsTimedOut: [0], ExecutionsAborted: [0] }],
    ["ExecutionsBroken", { ExecutionsTimedOut: [none] }],
    ["CreatesFail", { ExecutionsStarted: [10, 10, 10], ExecutionsFailed: [2, 1, 2] }],
    ["CreatesFail", { ExecutionsStarted: [9, 9, 9], ExecutionsFailed: [9, 9, 9] }],
    ["CreatesFail", { ExecutionsStarted: [11, 11, 11], ExecutionsFailed: [2, 2, 2] }],
    ["CreatesFail", { ExecutionsStarted: [100, 100, 100] }],
    ["SchedulerLate", { ApproximateAgeOfOldestMessage: [299, 300, 300] }],
    ["OverdueVolumes", { SweptVolumes: [0] }],
    ["Orphans", { Orphans: [0], MissingVolumes: [0], DamagedVolumes: [0] }],
    ["Orphans", { Orphans: [1, none, 0], MissingVolumes: [1, none, 0], DamagedVolumes: [0, none, 0] }],
    ["UnreadableRecords", { UnreadableRecords: [1, none, 0, none] }],
    ["NetsFail", { "Errors of SweepOverdueVolumes": [1, 0, 1, 1] }],
    ["NetsFail", { "Errors of ErrorOutVolume": [1, 1, none], "Errors of SweepOverdueVolumes": [0, 0, 0] }],
    ["SweepNotRunning", { SweptVolumes: [none, 1] }],
    ["SweepNotRunning", { SweptVolumes: [1, none] }],
    ["BackendsNotReported", { UnreportedBackends: [0, 0] }],
    ["BackendsNotReported", { UnreportedBackends: [0, 2] }],
    ["BackendsNotReported", { UnreportedBackends: [none, 0] }],
    ["CreatesNotScheduled", { UnscheduledCreates: [none] }],
    ["Throttled", { Throttles: [9, 10] }],
    ["Throttled", { Throttles: [none, 100] }],
  ])("%s by %j", (id, samples) => {
    expect(stateAfter(id, samples)).toBe("OK");
  });
});

it("each alarm looks at its metrics by the statistic and in the period that its formula is made for", () => {
  const watched = alarms.flatMap(({ id, metrics }) =>
    metrics.map((metric) => `${id}: ${shortNameOf(metric)}, ${metric.statistic} in ${metric.periodSeconds} s`),
  );
  expect(watched.toSorted()).toEqual(
    [
      "BackendsNotReported: UnreportedBackends, Maximum in 300 s",
      "CreatesFail: ExecutionsFailed by alias, Sum in 300 s",
      "CreatesFail: ExecutionsFailed, Sum in 300 s",
      "CreatesFail: ExecutionsStarted by alias, Sum in 300 s",
      "CreatesFail: ExecutionsStarted, Sum in 300 s",
      "CreatesNotScheduled: UnscheduledCreates, Sum in 300 s",
      "DeadLetters: DeadLetters, Sum in 300 s",
      "DeadLettersNotConsumed: ApproximateNumberOfMessagesVisible, Maximum in 300 s",
      "EventsLost: ApproximateNumberOfMessagesVisible, Maximum in 300 s",
      "ExecutionsBroken: ExecutionsAborted by alias, Sum in 300 s",
      "ExecutionsBroken: ExecutionsAborted, Sum in 300 s",
      "ExecutionsBroken: ExecutionsTimedOut by alias, Sum in 300 s",
      "ExecutionsBroken: ExecutionsTimedOut, Sum in 300 s",
      "NetsFail: Errors of ErrorOutFailedExecution, Sum in 300 s",
      "NetsFail: Errors of ErrorOutVolume, Sum in 300 s",
      "NetsFail: Errors of SweepOverdueVolumes, Sum in 300 s",
      "Orphans: DamagedVolumes, Maximum in 300 s",
      "Orphans: MissingVolumes, Maximum in 300 s",
      "Orphans: Orphans, Maximum in 300 s",
      "OverdueVolumes: SweptVolumes, Sum in 300 s",
      "SchedulerLate: ApproximateAgeOfOldestMessage, Maximum in 60 s",
      "SweepNotRunning: SweptVolumes, SampleCount in 300 s",
      "Throttled: Throttles, Sum in 300 s",
      "UnreadableRecords: UnreadableRecords, Maximum in 300 s",
    ].toSorted(),
  );
});

it("the alarms of queues look at the queue that they are named for", () => {
  const queueOf = (id: string): string => String(alarmNamed(id).metrics[0]?.dimensions["QueueName"]);
  expect(queueOf("DeadLettersNotConsumed")).toMatch(/SchedulerDeadLetterQueue/);
  expect(queueOf("EventsLost")).toMatch(/EventsDeadLetterQueue/);
  expect(queueOf("SchedulerLate")).toMatch(/SchedulerQueue/);
});

it("every alarm notifies somebody", () => {
  expect(alarms.filter(({ acts }) => !acts)).toEqual([]);
});

it("what runs rarely has a period in which it runs", () => {
  const rare = readAlarms(
    inlineTemplate({ fileSystem: "none", time_bounds: { report_interval_seconds: 900, sweep_interval_seconds: 600 } }),
  );
  const periodOf = (id: string) => rare.find((alarm) => alarm.id === id)?.periodSeconds;
  expect([periodOf("BackendsNotReported"), periodOf("SweepNotRunning")]).toEqual([900, 600]);
});
