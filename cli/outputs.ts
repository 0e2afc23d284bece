import { dirname, join } from "node:path";
import { CliError, readTextFile } from "./errors.ts";

/** Names of the stack's outputs that the commands use. */
export const OUTPUT_NAMES = [
  "SchedulerQueueUrl",
  "SchedulerDeadLetterQueueUrl",
  "StateMachineArn",
  "NotificationsTopicArn",
  "AlarmsTopicArn",
  "VolumesTableName",
  "SnapshotsTableName",
  "VolumeTypesTableName",
  "BackendsTableName",
  "ClaimsTableName",
  "LocksTableName",
  "DeadLettersTableName",
  "ProjectsTableName",
  "ImageCacheTableName",
  "ImagesBucketName",
  "CreateSnapshotFunctionName",
  "DeleteVolumeFunctionName",
  "DeleteSnapshotFunctionName",
  "ExtendVolumeFunctionName",
  "CallDriverFunctionName",
  "AuditBackendsFunctionName",
] as const;

/** A key of the outputs. */
export type OutputName = (typeof OUTPUT_NAMES)[number];

/** The outputs of one stack, with their origin, for messages. */
export type Outputs = { source: string; values: Readonly<Record<string, string>> };

/**
 * The deployment that the command line or its profile names. With both, `stack` selects one of the file's stacks. `aws_profile` and
 * `region` replace AWS_PROFILE and AWS_REGION.
 */
export type Target = {
  outputs?: string | undefined;
  stack?: string | undefined;
  aws_profile?: string | undefined;
  region?: string | undefined;
};

/** File in which the embedded cloud writes its outputs. */
export const DEFAULT_OUTPUTS_FILE = join(".cinderless", "outputs.json");

/** A stack with this output belongs to this project. */
const MARK: OutputName = "VolumesTableName";

const START_HINT =
  "start the embedded cloud with `npm start`, or name a deployed stack with --stack NAME or --outputs FILE";

const OUTPUTS_HINT = "`npm start` and `cdk deploy --outputs-file FILE` write such a file";

/**
 * Finds the outputs: `--outputs`, `--stack`, CINDERLESS_OUTPUTS, then the embedded cloud's file in the current directory. For a file, the
 * environment next to it is applied first; `describeStack` asks CloudFormation.
 *
 * @throws CliError that names the file or the stack.
 */
export async function findOutputs(
  target: Target,
  environment: Record<string, string | undefined>,
  describeStack: (name: string) => Promise<Record<string, string>>,
): Promise<Outputs> {
  const file = outputsFileOf(target, environment);
  if (file === undefined) {
    const { stack = "" } = target;
    return { source: `stack ${stack}`, values: await describeStack(stack) };
  }
  const outputs = await readOutputsFile(file, target.stack);
  await takeEnvironmentBeside(file, environment);
  return outputs;
}

/** The file with the target's outputs; undefined if CloudFormation has to be asked. */
export function outputsFileOf(
  target: Target,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (target.outputs === undefined && target.stack !== undefined) {
    return undefined;
  }
  return target.outputs ?? (environment["CINDERLESS_OUTPUTS"] || DEFAULT_OUTPUTS_FILE);
}

/** One output. @throws CliError when the deployment does not have it. */
export function outputOf(outputs: Outputs, name: OutputName): string {
  const value = outputs.values[name];
  if (value === undefined || value === "") {
    throw new CliError(`${outputs.source} has no output ${name}`, {
      hint: "was it deployed by another version of this project?",
    });
  }
  return value;
}

async function readOutputsFile(file: string, stack: string | undefined): Promise<Outputs> {
  return selectStack(file, await readJsonFile(file, START_HINT), stack);
}

/**
 * The outputs in a document of the form of `cdk deploy --outputs-file`: `{"StackName": {"Key": "value"}}`. Selects the named stack, or the
 * only one that belongs to this project.
 *
 * @throws CliError that names the file.
 */
export function selectStack(file: string, document: unknown, stack?: string): Outputs {
  const stacks = Object.entries(isObject(document) ? document : {}).flatMap(([name, values]) =>
    isObject(values) ? [{ name, values }] : [],
  );
  if (stacks.length === 0) {
    throw new CliError(`${file} holds no stack: {"StackName": {"Key": "value"}} is expected`, { hint: OUTPUTS_HINT });
  }
  const chosen = stacks.filter(({ name, values }) =>
    stack === undefined ? Object.hasOwn(values, MARK) : name === stack,
  );
  const [first, ...others] = chosen;
  if (first === undefined) {
    throw new CliError(
      stack === undefined ? `no stack in ${file} has the output ${MARK}` : `${file} holds no stack ${stack}`,
      { hint: stack === undefined ? OUTPUTS_HINT : `it holds ${stacks.map(({ name }) => name).join(", ")}` },
    );
  }
  if (others.length > 0) {
    const names = chosen.map(({ name }) => name).join(", ");
    throw new CliError(`${file} holds several stacks: ${names}`, {
      hint: "name one with --stack NAME",
    });
  }
  const strings = Object.entries(first.values).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return { source: `stack ${first.name} in ${file}`, values: Object.fromEntries(strings) };
}

/**
 * Only the variables that direct SDK clients to an embedded cloud: endpoints, region and signing keys. No other variable of the file may
 * change this process.
 */
const ENVIRONMENT_KEY = /^AWS_(ENDPOINT_URL(_[A-Z0-9_]+)?|REGION|DEFAULT_REGION|ACCESS_KEY_ID|SECRET_ACCESS_KEY)$/;

/**
 * The variables of an `environment.json` that are to be added to `environment`: those of {@link ENVIRONMENT_KEY} that are not set there.
 * Keys are added together or not at all: a foreign id with the embedded cloud's secret would be invalid.
 *
 * @throws CliError that names the file.
 */
export function missingVariables(
  path: string,
  document: unknown,
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  if (!isObject(document)) {
    throw new CliError(`${path} is not an object of variables`);
  }
  const isSet = (name: string): boolean => (environment[name] ?? "") !== "";
  const ownKeys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"].some(isSet);
  const missing: Record<string, string> = {};
  for (const [name, value] of Object.entries(document)) {
    if (!ENVIRONMENT_KEY.test(name) || isSet(name) || (ownKeys && name.includes("ACCESS_KEY"))) {
      continue;
    }
    if (typeof value !== "string") {
      throw new CliError(`${path}: ${name} is not a string`);
    }
    missing[name] = value;
  }
  return missing;
}

/** Applies `environment.json` next to the file, if it exists. */
async function takeEnvironmentBeside(file: string, environment: Record<string, string | undefined>): Promise<void> {
  const path = environmentFileBeside(file);
  const document = await readFileIfThere(path);
  if (document !== undefined) {
    Object.assign(environment, missingVariables(path, document, environment));
  }
}

/**
 * Every variable of the `environment.json` next to a file of outputs; undefined when there is no such file.
 *
 * @throws CliError that names the file.
 */
export async function readEnvironmentBeside(file: string): Promise<Record<string, string> | undefined> {
  const path = environmentFileBeside(file);
  const document = await readFileIfThere(path);
  if (document === undefined) {
    return undefined;
  }
  const variables = Object.entries(isObject(document) ? document : { "the file": document });
  const wrong = variables.find(([, value]) => typeof value !== "string");
  if (wrong !== undefined) {
    throw new CliError(`${path}: ${wrong[0]} is not a string`);
  }
  return Object.fromEntries(variables) as Record<string, string>;
}

function environmentFileBeside(file: string): string {
  return join(dirname(file), "environment.json");
}

async function readFileIfThere(path: string): Promise<unknown> {
  try {
    return await readJsonFile(path);
  } catch (error) {
    if (error instanceof MissingFile) {
      return undefined;
    }
    throw error;
  }
}

class MissingFile extends CliError {}

async function readJsonFile(path: string, hint?: string): Promise<unknown> {
  let content: string;
  try {
    content = await readTextFile(path);
  } catch (error) {
    const cause = error instanceof CliError ? error.cause : undefined;
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") {
      throw new MissingFile(`there is no file ${path}`, hint === undefined ? {} : { hint });
    }
    throw error;
  }
  try {
    return JSON.parse(content);
  } catch (error) {
    throw new CliError(`${path} is not valid JSON: ${error instanceof Error ? error.message : "unreadable"}`, {
      hint: OUTPUTS_HINT,
    });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
