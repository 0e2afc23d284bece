import { mkdtempSync, rmSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { SFNClient } from "@aws-sdk/client-sfn";
import type { EmbeddedCloud, ExecutionView } from "@cinderless/embedded-cloud";
import { DynamoDbSnapshotRepository } from "../../adapters/dynamodb/snapshot-repository.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { SfnWorkflowStarter } from "../../adapters/sfn/workflow-starter.ts";
import type { WorkflowInput } from "../../core/requests/messages.ts";
import { functionNameIn } from "../../infra/inline-template.ts";
import { startCinderless } from "../../local/cinderless.ts";
import { CONFORMANCE_PORTS } from "./bundler-plugin.ts";
import { lateFileIn, PLAN_DIRECTORY_VARIABLE } from "./inject/plan.ts";

/** Cinderless in the embedded cloud, over the ports that the cases can make fail. */
export type Deployment = {
  planDirectory: string;
  volumes: DynamoDbVolumeRepository;
  snapshots: DynamoDbSnapshotRepository;
  /** Starts the execution, and resolves when it has ended. */
  run(input: WorkflowInput): Promise<ExecutionView>;
  /** Puts the functions' clock past every deadline and runs the sweep once. */
  sweepLate(): Promise<void>;
  stop(): Promise<void>;
};

/** Most of it is waiting between tries, 6 s for each state that fails. */
const LONGEST_EXECUTION_MS = 180_000;

/** Executions that are kept for those who wait for them. */
const MAX_HISTORY = 10_000;

/** Starts it in a temporary directory. */
export async function startDeployment(): Promise<Deployment> {
  const directory = mkdtempSync(path.join(tmpdir(), "cinderless-conformance-"));
  // Next to the data, whose directory holds nothing else.
  const planDirectory = path.join(directory, "plans");
  const dataDirectory = path.join(directory, "cloud");
  mkdirSync(planDirectory);
  mkdirSync(dataDirectory);
  const { cloud, stop } = await startCinderless({
    directory: dataDirectory,
    maxHistory: MAX_HISTORY,
    bundlerPlugins: [CONFORMANCE_PORTS],
    functionEnvironment: { [PLAN_DIRECTORY_VARIABLE]: planDirectory, POWERTOOLS_LOG_LEVEL: "SILENT" },
  });
  const { outputs, endpoints } = cloud;
  const connection = { region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };
  const client = new DynamoDBClient({ ...connection, endpoint: endpoints.dynamodb });
  const sfn = new SFNClient({ ...connection, endpoint: endpoints.sfn });
  const lambda = new LambdaClient({ ...connection, endpoint: endpoints.lambda });
  const clock = { now: () => new Date() };
  const workflow = new SfnWorkflowStarter({ client: sfn, stateMachineArn: required(outputs, "StateMachineArn") });
  const ended = endings(cloud);
  return {
    planDirectory,
    volumes: new DynamoDbVolumeRepository({ client, tableName: required(outputs, "VolumesTableName"), clock }),
    snapshots: new DynamoDbSnapshotRepository({ client, tableName: required(outputs, "SnapshotsTableName") }),
    run: async (input) => {
      const end = ended(input.fence);
      await workflow.start(input);
      const arn = await Promise.race([end, delay(LONGEST_EXECUTION_MS, undefined, { ref: false })]);
      if (arn === undefined) {
        throw new Error(`its execution did not end in ${LONGEST_EXECUTION_MS / 1000} s`);
      }
      return cloud.executions.describe(arn);
    },
    sweepLate: async () => {
      writeFileSync(lateFileIn(planDirectory), "");
      const sweep = Object.entries(cloud.resources).find(([id]) => functionNameIn(id) === "SweepOverdueVolumes")?.[1];
      await lambda.send(new InvokeCommand({ FunctionName: sweep, Payload: "{}" }));
    },
    stop: async () => {
      await stop();
      for (const each of [client, sfn, lambda]) {
        each.destroy();
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Promises of the ARNs of executions that end, by name. */
function endings({ executions }: EmbeddedCloud): (name: string) => Promise<string> {
  const waiting = new Map<string, (arn: string) => void>();
  executions.onTransition(({ name, executionArn }, { type }) => {
    if (/^Execution(Succeeded|Failed|Aborted|TimedOut)$/.test(type)) {
      // The event is sent just before the view shows the end of the execution.
      setImmediate(() => waiting.get(name)?.(executionArn));
    }
  });
  return (name) => new Promise((resolve) => waiting.set(name, resolve));
}

function required(outputs: Readonly<Record<string, string>>, name: string): string {
  const value = outputs[name];
  if (value === undefined) {
    throw new Error(`The stack has no output ${name}`);
  }
  return value;
}
