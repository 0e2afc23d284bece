import { FUNCTIONS, functionsOfKind, type NameOfKind } from "../../core/settings/functions.ts";
import prices from "./prices.json" with { type: "json" };
import { invocation, type Requests, timesWork, type Work, workOf } from "./work.ts";

/** The properties of a CloudFormation template that affect costs. */
export type PricedTemplate = {
  Resources: Record<string, { Type: string; Properties?: Record<string, unknown> }>;
  Outputs?: Record<string, { Value: unknown }>;
};

/** One part of the monthly cost of an idle stack. */
export type IdlePart = { part: string; quantity: number; unit: string; cost: number };

/** The monthly cost of an idle stack: its parts, most expensive first, and the assumptions. */
export type IdleCost = { parts: IdlePart[]; cost: number; assumptions: string[] };

type Properties = Record<string, unknown>;

const HOURS = 730;
const MINUTES = HOURS * 60;

type ScheduledFunctionName = NameOfKind<"schedule">;

/** Requests of one run of a scheduled function when there are no volumes. The open claims of a backend take two reads. */
const IDLE_REQUESTS: Readonly<Record<ScheduledFunctionName, (backends: number) => Requests>> = {
  ReportBackends: (backends) => ({ dynamodb_write_unit: backends, dynamodb_read_unit: 2 * backends }),
  SweepOverdueVolumes: (backends) => ({ dynamodb_read_unit: 2 + 2 * backends }),
  AuditBackends: (backends) => ({ dynamodb_read_unit: 6 + 6 * backends }),
};

/** A run of a scheduled function that finds nothing to do. */
const IDLE_RUN_MS = 150;
const IDLE_LOG_BYTES = 1024;

/** Metrics that scheduled functions write at each run, even when there is nothing to count, because alarms read them. */
const IDLE_METRICS = [
  "sweptVolumes",
  "unreportedBackends",
  "orphans",
  "missingVolumes",
  "damagedVolumes",
  "unreadableRecords",
] as const;

/** Lambda reads a queue with five long polls of 20 seconds at once while it is empty. */
const POLLS_PER_MINUTE = 5 * 3;

/** Types that cost nothing while nothing is stored, sent or called. */
const FREE_WHEN_IDLE = new Set([
  "AWS::ApiGatewayV2::Api",
  "AWS::ApiGatewayV2::Integration",
  "AWS::ApiGatewayV2::Route",
  "AWS::ApiGatewayV2::Stage",
  "AWS::DynamoDB::Table",
  "AWS::EC2::FlowLog",
  "AWS::EC2::RouteTable",
  "AWS::EC2::SecurityGroup",
  "AWS::EC2::SecurityGroupIngress",
  "AWS::EC2::Subnet",
  "AWS::EC2::SubnetRouteTableAssociation",
  "AWS::EC2::VPC",
  "AWS::EFS::AccessPoint",
  "AWS::EFS::FileSystem",
  "AWS::EFS::MountTarget",
  "AWS::IAM::Policy",
  "AWS::IAM::Role",
  "AWS::Lambda::EventInvokeConfig",
  "AWS::Lambda::Function",
  "AWS::Lambda::Permission",
  "AWS::Logs::LogGroup",
  "AWS::Logs::QueryDefinition",
  "AWS::S3::Bucket",
  "AWS::S3::BucketPolicy",
  "AWS::SNS::Subscription",
  "AWS::SNS::Topic",
  "AWS::SNS::TopicPolicy",
  "AWS::SQS::Queue",
  "AWS::SQS::QueuePolicy",
  "AWS::StepFunctions::StateMachine",
  "AWS::StepFunctions::StateMachineAlias",
  "AWS::StepFunctions::StateMachineVersion",
]);

/** Types that cost something while idle, counted below. */
const PRICED = new Set([
  "AWS::CloudWatch::Alarm",
  "AWS::CloudWatch::Dashboard",
  "AWS::EC2::VPCEndpoint",
  "AWS::Events::Rule",
  "AWS::KMS::Key",
  "AWS::Lambda::EventSourceMapping",
]);

/**
 * The monthly cost of a template's stack without any request, at list prices. Free tiers are left out, because they belong to the account.
 *
 * Throws: Error for a resource type without a known price, so that no part of the bill is overlooked.
 */
export function idleCost(template: PricedTemplate): IdleCost {
  const unknown = Object.values(template.Resources).find(({ Type }) => !FREE_WHEN_IDLE.has(Type) && !PRICED.has(Type));
  if (unknown !== undefined) {
    throw new Error(`the idle price of ${unknown.Type} is not known`);
  }
  const of = (type: string): Properties[] =>
    Object.values(template.Resources).flatMap(({ Type, Properties: properties = {} }) =>
      Type === type ? [properties] : [],
    );
  const runs = scheduledRuns(of("AWS::Events::Rule"), backendsOf(template));
  const { idle } = prices;
  const part = (name: string, quantity: number, unit: string, price: number): IdlePart => ({
    part: name,
    quantity,
    unit,
    cost: quantity * price,
  });
  const traced = runs.reduce((sum, { times }) => sum + times, 0);
  const parts = [
    part("interface endpoints", endpointHours(of("AWS::EC2::VPCEndpoint")), "hours", idle.interface_endpoint_hour),
    part("dashboards", of("AWS::CloudWatch::Dashboard").length, "dashboards", idle.dashboard_month),
    part("alarms", alarmMetrics(of("AWS::CloudWatch::Alarm")), "metrics", idle.alarm_metric_month),
    part("metrics of the scheduled functions", IDLE_METRICS.length, "metrics", idle.custom_metric_month),
    part("keys", of("AWS::KMS::Key").length, "keys", idle.kms_key_month),
    part(
      "empty receives of the queues",
      polls(of("AWS::Lambda::EventSourceMapping")),
      "requests",
      price("sqs_request"),
    ),
    part("traces", traced, "traces", idle.xray_trace),
    part("logs", (traced * IDLE_LOG_BYTES) / 1024 ** 3, "GiB", idle.log_gib),
    ...runs.map(({ name, times, work }) => ({
      part: `${name}, by its schedule`,
      quantity: times,
      unit: "runs",
      cost: costOf(timesWork(work, times)),
    })),
  ].filter(({ quantity }) => quantity > 0);
  return {
    parts: parts.toSorted((one, other) => other.cost - one.cost),
    cost: parts.reduce((sum, { cost }) => sum + cost, 0),
    assumptions: [
      "list prices; the free tiers of an account are not in them",
      `${IDLE_RUN_MS} ms and ${IDLE_LOG_BYTES} bytes of log for a run that finds nothing to do`,
      "no volumes, images or records are stored",
    ],
  };
}

/** The number of runs of each function in a month, and the work of one run. */
function scheduledRuns(
  rules: readonly Properties[],
  backends: number,
): { name: ScheduledFunctionName; times: number; work: Work }[] {
  return rules.flatMap((rule) => {
    const [, count, unit = ""] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(String(rule["ScheduleExpression"])) ?? [];
    const minutes = Number(count) * ({ minute: 1, hour: 60, day: 1440 }[unit] ?? 0);
    const targets = (rule["Targets"] ?? []) as { Arn: { "Fn::GetAtt"?: [string, string] } }[];
    return minutes > 0
      ? targets.flatMap(({ Arn }) => {
          const name = functionOf(Arn["Fn::GetAtt"]?.[0] ?? "");
          return name === undefined ? [] : [{ name, times: MINUTES / minutes, work: idleRun(name, backends) }];
        })
      : [];
  });
}

/** The scheduled function of a logical id: `Functions`, its name, and the CDK's hash. */
function functionOf(logicalId: string): ScheduledFunctionName | undefined {
  const [, name = ""] = /^Functions(\w+)[0-9A-F]{8}$/.exec(logicalId) ?? [];
  return functionsOfKind("schedule").find((each) => each === name);
}

function idleRun(name: ScheduledFunctionName, backends: number): Work {
  return {
    ...workOf(IDLE_REQUESTS[name](backends)),
    lambda_request: invocation(name, 0).lambda_request,
    lambda_gib_second: (FUNCTIONS[name].memoryMib / 1024) * (IDLE_RUN_MS / 1000),
  };
}

/** The stack's output names its backends with commas between them. */
function backendsOf({ Outputs: outputs = {} }: PricedTemplate): number {
  const hosts = outputs["BackendHosts"]?.Value;
  return typeof hosts === "string" ? hosts.split(",").length : 0;
}

/** An endpoint is paid for in each of its subnets; gateways cost nothing. */
function endpointHours(endpoints: readonly Properties[]): number {
  return endpoints
    .filter(({ VpcEndpointType: type }) => type === "Interface")
    .reduce((hours, { SubnetIds: subnets }) => hours + HOURS * (Array.isArray(subnets) ? subnets.length : 1), 0);
}

/** Each metric that an alarm reads is paid for; an alarm on metric math reads several. */
function alarmMetrics(alarms: readonly Properties[]): number {
  return alarms.reduce((count, { Metrics: queries }) => {
    const metrics = ((queries ?? []) as { MetricStat?: unknown }[]).filter(
      ({ MetricStat: stat }) => stat !== undefined,
    );
    return count + Math.max(1, metrics.length);
  }, 0);
}

function polls(mappings: readonly Properties[]): number {
  return mappings.length * POLLS_PER_MINUTE * MINUTES;
}

function price(unit: keyof typeof prices.prices): number {
  return prices.prices[unit];
}

function costOf(work: Work): number {
  return (Object.keys(work) as (keyof Work)[]).reduce((sum, unit) => sum + work[unit] * price(unit), 0);
}
