import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { readAssets } from "./assets.ts";
import type { AssetDirectories } from "./assets.ts";
import { startComputeServer } from "./compute-server.ts";
import { openDataDirectory } from "./data-directory.ts";
import { startSqsEventSource } from "./event-sources/sqs-event-source.ts";
import type { SqsEventSource, SqsEventSourceDefinition } from "./event-sources/sqs-event-source.ts";
import { EmbeddedCloudError } from "./errors.ts";
import { createEventRules } from "./events/event-rules.ts";
import { createAsynchronousInvocations } from "./functions/asynchronous-invocations.ts";
import { createFunctionEmulator, functionNameOf } from "./functions/function-emulator.ts";
import { createLambdaApi } from "./functions/lambda-api.ts";
import { createCloudWatchApi } from "./monitoring/cloudwatch-api.ts";
import { type Monitoring, startMonitoring } from "./monitoring/monitoring.ts";
import { startHttpApi } from "./http-api.ts";
import { startStores } from "./parts/stores.ts";
import { changesOf, deployPlan, planDeployment } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { cloudOf } from "./running-cloud.ts";
import { isHttpApi } from "./resources/api-gateway.ts";
import type { CloudParts } from "./resources/resource-handler.ts";
import type { ExecutionStatus, ExecutionView, TransitionListener } from "./states/executions.ts";
import type { HistoryEvent } from "./states/history.ts";
import { openExecutionJournal } from "./states/execution-journal.ts";
import { createStateMachines } from "./states/state-machines.ts";
import { createStatesApi } from "./states/states-api.ts";
import { parameterValues, readTemplate } from "./template.ts";
import type { Template } from "./template.ts";

export { EmbeddedCloudError };
export type { ExecutionStatus, ExecutionView, TransitionListener } from "./states/executions.ts";
export type { HistoryEvent } from "./states/history.ts";

export interface EmbeddedCloudOptions {
  /** CloudFormation template as a JSON object, such as `cdk synth` writes it. */
  readonly template: unknown;
  /** The `cdk.out` directory that holds the template's assets. */
  readonly assetDirectory: string;
  /** Directory of tables, queues, topics and objects; without it they are kept in memory. One instance at a time. */
  readonly dataDirectory?: string;
  /** Ports on 127.0.0.1; 0 or absent selects a free one. `messaging` serves SQS, SNS and S3, `compute` Step Functions and Lambda. */
  readonly ports?: {
    readonly dynamodb?: number;
    readonly messaging?: number;
    readonly compute?: number;
    /** Port of the stack's HTTP API, if it has one. */
    readonly httpApi?: number;
  };
  readonly region?: string;
  readonly stackName?: string;
  /** Values of the template's parameters. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Most environments of one function; default 2. A smaller reserved concurrency takes precedence. */
  readonly environmentsPerFunction?: number;
  /**
   * Lets all functions share that many threads; default 0, a thread for each environment. It starts faster and needs a third of the
   * processor time, because two cores run a few warm programs instead of dozens of cold ones. Each function keeps its own variables; the
   * environments of one function in one thread share its module, as those of Lambda's managed instances do. The disadvantage: after a
   * time-out the code continues until the other invocations of the thread have ended, and a crash ends them too, as the crash of a host
   * would.
   */
  readonly sharedThreads?: number;
  /** Variables of every function. They override those of the cloud; those of the template override them. */
  readonly functionEnvironment?: Readonly<Record<string, string>>;
  /** An environment without work for this long is ended; default 300. */
  readonly environmentIdleSeconds?: number;
  /** Receives each line that a function writes, after its name; without it output is dropped. */
  readonly logSink?: (line: string) => void;
  /** Receives problems behind the APIs: a failed batch, an abandoned event. */
  readonly problemSink?: (line: string) => void;
  /**
   * Receives the reason when a store ends by itself, as on a full disk: nothing works after that. Without it, that counts as another
   * problem.
   */
  readonly crashSink?: (line: string) => void;
  /** Ended executions that are kept with their history; default 1000. */
  readonly maxHistory?: number;
  /**
   * For a function that looks for stalled work, by its physical name. If executions of an earlier process continue, its schedule fires
   * first after one period, so that they can progress before it.
   */
  readonly isLateAfterResumption?: (functionName: string) => boolean;
}

export interface EmbeddedCloudCounters {
  /** States entered and retries, as Step Functions counts them. */
  readonly stateTransitions: number;
  /** Calls of functions that are running or waiting. */
  readonly runningInvocations: number;
  /** By physical function name. */
  readonly lambdaInvocations: Readonly<Record<string, number>>;
}

export interface EmbeddedCloud {
  /** The stack's outputs. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly endpoints: Readonly<Record<"dynamodb" | "sqs" | "sns" | "s3" | "sfn" | "lambda", string>>;
  /** Physical names by logical id: the values of `Ref`. */
  readonly resources: Readonly<Record<string, string>>;
  /** Variables with which the AWS CLI and every AWS SDK work against this cloud. */
  readonly environment: Readonly<Record<string, string>>;
  readonly executions: {
    /** Newest first. */
    list(filter?: { stateMachineArn?: string; status?: ExecutionStatus }): ExecutionView[];
    /** @throws an error named ExecutionDoesNotExist when it is unknown or has been forgotten */
    describe(executionArn: string): ExecutionView;
    history(executionArn: string): readonly HistoryEvent[];
    /** Calls the listener with every history event of every execution until the returned function is called. */
    onTransition(listener: TransitionListener): () => void;
  };
  readonly counters: EmbeddedCloudCounters;
  /**
   * Deploys the stack's next template over the running one, as `cdk deploy` does: functions, state machines, and all new resources. Running
   * executions keep their definition; resources that are gone from the template stay.
   *
   * @throws {EmbeddedCloudError} before anything is changed when the template is not supported, or changes an event source or a rule
   */
  update(next: Pick<EmbeddedCloudOptions, "template" | "assetDirectory">): Promise<void>;
  /** Waits until no execution, invocation, batch or event is in progress. Rejects after the time-out. */
  quiesce(timeoutMilliseconds?: number): Promise<void>;
  /**
   * Ends everything and releases ports and data directory. Running executions stop in their state; with a data directory, the next start
   * continues them. May be called twice.
   *
   * @param graceMilliseconds time for running calls of functions to end; they see that their time is almost over. The next start repeats
   * calls that have not ended by then. Default 0
   */
  stop(graceMilliseconds?: number): Promise<void>;
}

const DEFAULT_REGION = "us-east-1";
const DEFAULT_STACK_NAME = "Stack";

/**
 * Deploys a template on this machine: DynamoDB by dynalite, SQS, SNS and S3 by fauxqs, Step Functions by aws-local-stepfunctions, and
 * functions from their bundles in threads. Everything listens on 127.0.0.1.
 *
 * @throws {EmbeddedCloudError} before anything is started when the template uses something that is not supported; later when a port or the
 * data directory is not available. Nothing keeps running then.
 */
export async function startEmbeddedCloud(options: EmbeddedCloudOptions): Promise<EmbeddedCloud> {
  const setup = prepare(options);
  const stops: Stops = [];
  const stopParts = async (graceMilliseconds: number): Promise<void> => {
    for (let stop = stops.pop(); stop; stop = stops.pop()) await stop(graceMilliseconds);
  };
  let stopping: Promise<void> | undefined;
  const stopAll = (graceMilliseconds = 0): Promise<void> => (stopping ??= stopParts(graceMilliseconds));
  try {
    return await start(setup, options, stops, stopAll);
  } catch (error) {
    await stopAll();
    throw error;
  }
}

/** Functions that end the parts, in the order of their starts. */
type Stops = Array<(graceMilliseconds: number) => Promise<void> | void>;

interface Setup {
  readonly region: string;
  readonly template: Template;
  readonly assets: AssetDirectories;
  readonly hasHttpApi: boolean;
  plan(messagingEndpoint: string, httpApiEndpoint: string): Plan;
}

/** Reads and checks everything that does not need a running part. */
function prepare(options: EmbeddedCloudOptions): Setup {
  const region = options.region ?? DEFAULT_REGION;
  const stackName = options.stackName ?? DEFAULT_STACK_NAME;
  const template = readTemplate(options.template);
  const parameters = parameterValues(template, options.parameters ?? {});
  const assets = readAssets(options.assetDirectory);
  const plan = (messagingEndpoint: string, httpApiEndpoint: string): Plan =>
    planDeployment({
      template,
      parameters,
      assets,
      context: { region, stackName, messagingEndpoint, httpApiEndpoint },
    });
  const apis = plan("http://127.0.0.1:1", "http://127.0.0.1:1").resources.filter(({ resource }) => isHttpApi(resource));
  if (apis.length > 1) throw new EmbeddedCloudError("more than one HTTP API is not supported by the embedded cloud");
  return { region, template, assets, hasHttpApi: apis.length === 1, plan };
}

async function start(
  setup: Setup,
  options: EmbeddedCloudOptions,
  stops: Stops,
  stopAll: EmbeddedCloud["stop"],
): Promise<EmbeddedCloud> {
  const { region } = setup;
  const data = options.dataDirectory === undefined ? undefined : openDataDirectory(options.dataDirectory);
  if (data) stops.push(() => data.release());
  const reportProblem = options.problemSink ?? (() => undefined);
  const { dynamodb, messaging } = await startStores({
    ports: options.ports ?? {},
    region,
    data,
    reportCrash: options.crashSink ?? reportProblem,
    onStarted: (stop) => void stops.push(stop),
  });
  const monitoring = startMonitoring({ now: () => Date.now(), queues: () => messaging.queueStates() });
  stops.push(() => monitoring.stop());
  const environment = cloudEnvironment(region, dynamodb.endpoint, messaging.endpoint);
  const functions = createFunctionEmulator({
    region,
    environmentsPerFunction: options.environmentsPerFunction ?? 2,
    sharedThreads: options.sharedThreads ?? 0,
    idleSeconds: options.environmentIdleSeconds ?? 300,
    logSink: logSinkOf(setup.template, options.logSink, monitoring),
    onInvoked: (name, failed) => monitoring.invoked(name, failed),
    // Filled in below: the compute server's own address is known once it listens.
    cloudEnvironment: environment,
    functionEnvironment: options.functionEnvironment ?? {},
  });
  const asynchronous = createAsynchronousInvocations(
    functions,
    (queueArn, body) => messaging.sendMessage({ queueArn, body }),
    reportProblem,
  );
  const rules = createEventRules({ region, invocations: asynchronous, messaging, reportProblem });
  const journal = data && openExecutionJournal(data.executions, options.crashSink ?? reportProblem);
  if (journal) stops.push(() => journal.close());
  const stateMachines = createStateMachines({
    functions,
    journal,
    maximumHistory: options.maxHistory ?? 1000,
    onStatusChange: (execution) => {
      monitoring.executionStatusChanged(execution);
      return rules.executionStatusChanged(execution);
    },
  });
  const compute = await startComputeServer(options.ports?.compute ?? 0, [
    createStatesApi(stateMachines, region),
    createLambdaApi(functions, asynchronous),
    createCloudWatchApi(monitoring),
  ]);
  stops.push(() => compute.stop());
  // A service without its own endpoint must not reach AWS.
  environment["AWS_ENDPOINT_URL"] = compute.endpoint;
  environment["AWS_ENDPOINT_URL_SFN"] = compute.endpoint;
  environment["AWS_ENDPOINT_URL_LAMBDA"] = compute.endpoint;
  environment["AWS_ENDPOINT_URL_CLOUDWATCH"] = compute.endpoint;

  const httpApi = setup.hasHttpApi ? await startHttpApi(options.ports?.httpApi ?? 0, functions) : undefined;
  stops.push(() => httpApi?.stop());

  const inlineCodeDirectory = path.join(tmpdir(), `embedded-cloud-${randomUUID()}`);
  stops.push(
    () => rmSync(inlineCodeDirectory, { recursive: true, force: true }),
    () => functions.stop(),
  );
  const sources: SqsEventSource[] = [];
  stops.push(async (graceMilliseconds) => {
    for (const source of sources) source.stop();
    rules.stop();
    asynchronous.stop();
    stateMachines.drain();
    if (graceMilliseconds > 0) await functions.finish(graceMilliseconds);
    stateMachines.suspendAll();
  });

  const httpApiEndpoint = httpApi?.endpoint ?? "";
  const plan = setup.plan(messaging.endpoint, httpApiEndpoint);
  const eventSources: SqsEventSourceDefinition[] = [];
  const parts: CloudParts = {
    region,
    stackName: options.stackName ?? DEFAULT_STACK_NAME,
    messagingEndpoint: messaging.endpoint,
    httpApiEndpoint,
    httpApi,
    assets: setup.assets,
    dynamodb,
    messaging,
    functions,
    asynchronous,
    stateMachines,
    rules,
    monitoring,
    inlineCodeDirectory,
    addEventSource: (definition) => void eventSources.push(definition),
  };
  await deployPlan(plan, parts);
  for (const definition of eventSources)
    sources.push(startSqsEventSource({ definition, messaging, functions, reportProblem }));
  const resumed = await stateMachines.takeOver();
  const { isLateAfterResumption = () => false } = options;
  rules.start((arn) => resumed > 0 && isLateAfterResumption(functionNameOf(arn)));
  return cloudOf({
    update: async (next) => {
      const nextSetup = prepare({ ...options, ...next });
      const changes = changesOf(plan, nextSetup.plan(messaging.endpoint, httpApiEndpoint));
      await deployPlan(changes, { ...parts, assets: nextSetup.assets });
    },
    plan,
    dynamodb,
    messaging,
    compute,
    environment,
    functions,
    asynchronous,
    rules,
    stateMachines,
    sources,
    stopAll,
  });
}

/** Functions write their metrics into their logs, so alarms need the lines even without another reader. */
function logSinkOf(
  { resources }: Template,
  logSink: EmbeddedCloudOptions["logSink"],
  monitoring: Monitoring,
): EmbeddedCloudOptions["logSink"] {
  const hasAlarms = resources.some(({ type }) => type === "AWS::CloudWatch::Alarm");
  if (!hasAlarms) return logSink;
  return (line) => {
    monitoring.logged(line);
    logSink?.(line);
  };
}

function cloudEnvironment(region: string, dynamodb: string, messaging: string): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb,
    AWS_ENDPOINT_URL_SQS: messaging,
    AWS_ENDPOINT_URL_SNS: messaging,
    AWS_ENDPOINT_URL_S3: messaging,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
  };
}
