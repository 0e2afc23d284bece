import type { AlarmSettings } from "@cinderless/embedded-cloud/monitoring";
import { definitionText, functionNameIn, inlineTemplate, localFunctionArn } from "../infra/inline-template.ts";
import type { FunctionName } from "../core/settings/functions.ts";
import { readAlarms } from "./alarms.ts";
import type { Definition } from "./definition.ts";

/** A queue of the template. */
export type QueueSettings = {
  name: string;
  visibilitySeconds: number;
  maxReceiveCount: number | null;
  deadLetterQueue: string | null;
  /** The target of an event source mapping's messages. */
  consumer: { functionName: FunctionName; batchSize: number; reportsFailures: boolean } | null;
};

/** A rule of the template: what it listens to, and whom it calls. */
export type RuleSettings = {
  everySeconds: number | null;
  statuses: readonly string[];
  functionName: FunctionName;
  event: unknown;
};

/** The part of the synthesised template that the simulated account runs. */
export type Deployment = {
  definition: Definition;
  queues: QueueSettings[];
  /** Those that are enabled. */
  rules: RuleSettings[];
  alarms?: AlarmSettings[];
};

type Properties = Record<string, unknown>;

/** Reads the template that the app synthesises. Anything that the simulation does not know stops it. */
export function readDeployment(): Deployment {
  const template = inlineTemplate();
  const resources = Object.entries(template.Resources).map(([id, resource]) => ({
    id,
    type: resource.Type,
    properties: resource.Properties ?? {},
  }));
  const of = (type: string) => resources.filter((resource) => resource.type === type);
  const mappings = of("AWS::Lambda::EventSourceMapping").map(({ properties }) => properties);
  return {
    definition: JSON.parse(definitionText(template, localFunctionArn)) as Definition,
    queues: of("AWS::SQS::Queue").map(({ id, properties }) => queueOf(id, properties, mappings)),
    rules: of("AWS::Events::Rule")
      .filter(({ properties }) => properties["State"] !== "DISABLED")
      .flatMap(({ id, properties }) => rulesOf(id, properties)),
    alarms: readAlarms(template),
  };
}

function queueOf(name: string, properties: Properties, mappings: readonly Properties[]): QueueSettings {
  const redrive = properties["RedrivePolicy"] as { maxReceiveCount: number; deadLetterTargetArn: unknown } | undefined;
  const mapping = mappings.find(({ EventSourceArn }) => logicalIdIn(EventSourceArn) === name);
  return {
    name,
    visibilitySeconds: Number(properties["VisibilityTimeout"] ?? 30),
    maxReceiveCount: redrive?.maxReceiveCount ?? null,
    deadLetterQueue: redrive === undefined ? null : logicalIdIn(redrive.deadLetterTargetArn),
    consumer:
      mapping === undefined
        ? null
        : {
            functionName: requireFunction(logicalIdIn(mapping["FunctionName"])),
            batchSize: Number(mapping["BatchSize"] ?? 10),
            reportsFailures: JSON.stringify(mapping["FunctionResponseTypes"] ?? []).includes("ReportBatchItemFailures"),
          },
  };
}

function rulesOf(id: string, properties: Properties): RuleSettings[] {
  const targets = properties["Targets"] as { Arn: unknown; Input?: string }[];
  const pattern = properties["EventPattern"] as { source?: string[]; detail?: { status?: string[] } } | undefined;
  const everySeconds = secondsOfRate(properties["ScheduleExpression"]);
  const statuses = pattern?.detail?.status ?? [];
  if (everySeconds === null && (pattern?.source?.[0] !== "aws.states" || statuses.length === 0)) {
    throw new Error(`rule ${id}: the simulation knows rates and status changes of executions only`);
  }
  return targets.map(({ Arn, Input }) => ({
    everySeconds,
    statuses,
    functionName: requireFunction(logicalIdIn(Arn)),
    event: Input === undefined ? {} : (JSON.parse(Input) as unknown),
  }));
}

function secondsOfRate(expression: unknown): number | null {
  if (expression === undefined) {
    return null;
  }
  const text = JSON.stringify(expression);
  const [, count, unit] = /^"rate\((\d+) (minute|hour|day)s?\)"$/.exec(text) ?? [];
  const seconds = { minute: 60, hour: 3600, day: 86_400 }[unit ?? ""];
  if (seconds === undefined) {
    throw new Error(`the simulation knows no schedule ${text}`);
  }
  return Number(count) * seconds;
}

/** The logical id of `{Ref}` or `{Fn::GetAtt: [id, attribute]}`. */
function logicalIdIn(token: unknown): string {
  const { Ref: reference, "Fn::GetAtt": attribute } = (token ?? {}) as { Ref?: string; "Fn::GetAtt"?: string[] };
  return reference ?? attribute?.[0] ?? "";
}

function requireFunction(logicalId: string): FunctionName {
  const name = functionNameIn(logicalId);
  if (name === undefined) {
    throw new Error(`${logicalId} is not a function of the template`);
  }
  return name;
}
