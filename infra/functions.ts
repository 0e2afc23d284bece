import { Duration, Stack } from "aws-cdk-lib";
import { Effect, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, type Code, Function, type FunctionOptions, Runtime, Tracing } from "aws-cdk-lib/aws-lambda";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { ENVIRONMENT, type EnvironmentKey } from "../core/settings/environment.ts";
import {
  FUNCTION_NAMES,
  type FunctionName,
  FUNCTIONS,
  type FunctionUse,
  type NameOfKind,
} from "../core/settings/functions.ts";
import { acknowledge } from "./acknowledge.ts";
import type { DataProps } from "./records.ts";

/** Files next to a function's code, by name. */
export type CodeFiles = Readonly<Record<string, string>>;

/** Gives a function its code, with these files next to it; injected, so that templates can be tested without bundling. */
export type CodeOf = (functionName: FunctionName, files: CodeFiles) => Code;

/** Conditions of a statement: operator to key to values. */
export type Conditions = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

/** Properties that distinguish functions, in addition to their code and permissions. */
export type FunctionsProps = {
  codeOf: CodeOf;
  filesOf: (functionName: FunctionName) => CodeFiles;
  /** Functions that this deployment does not need. */
  omitted: readonly FunctionName[];
  /** Further options of the functions with drivers: their network and its file system. */
  storageOptions: Partial<FunctionOptions>;
  /** Further options of the functions with asynchronous events: the queue for events that keep failing. */
  asynchronousOptions: (name: EventFunctionName) => Partial<FunctionOptions>;
} & DataProps;

/** Actions that a function in a network needs for its network interface; EC2 has no resource for these at the time of the call. */
const NETWORK_INTERFACES = [
  "ec2:CreateNetworkInterface",
  "ec2:DescribeNetworkInterfaces",
  "ec2:DescribeSubnets",
  "ec2:DeleteNetworkInterface",
  "ec2:AssignPrivateIpAddresses",
  "ec2:UnassignPrivateIpAddresses",
];

/**
 * Holds for calls of the function's own code only: Lambda adds the key to the credentials that the code gets, and makes the network
 * interface without it.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html (required IAM permissions)
 */
const CALLED_BY_FUNCTION_CODE: Conditions = { Null: { "lambda:SourceFunctionArn": "false" } };

/** Every function of the product by name, each with its own role; its variables and permissions are set where it is wired. */
export class Functions extends Construct {
  private readonly functions = new Map<FunctionName, Function>();

  constructor(scope: Construct, id: string, props: FunctionsProps) {
    super(scope, id);
    for (const name of FUNCTION_NAMES.filter((each) => !props.omitted.includes(each))) {
      this.functions.set(name, this.function(name, props));
    }
    acknowledge(this, {
      "Serverless-LambdaDLQ":
        "Called by Step Functions, SQS or a person, who all see the failure; the others have a queue",
      "Serverless-LambdaAsyncFailureDestination":
        "Its dead-letter queue takes the event; an extra destination would store the event twice",
      "AwsSolutions-IAM5[Resource::*]":
        "X-Ray has no resources; neither has EC2 for a function's network interface, which Lambda makes: the code is denied it",
    });
  }

  /** The functions that this deployment has. */
  get names(): FunctionName[] {
    return [...this.functions.keys()];
  }

  /** Those that use it. */
  using(use: FunctionUse): FunctionName[] {
    return this.names.filter((name) => FUNCTIONS[name].uses.includes(use));
  }

  get(name: FunctionName): Function {
    const found = this.functions.get(name);
    if (found === undefined) {
      throw new Error(`No function ${name}`);
    }
    return found;
  }

  /** Allows a function only these actions on these resources. */
  allow(name: FunctionName, actions: readonly string[], ...resources: string[]): void {
    this.allowIf(name, {}, actions, ...resources);
  }

  /** Allows it if the request meets the conditions: IAM's operators, each with its keys and their values. */
  allowIf(name: FunctionName, conditions: Conditions, actions: readonly string[], ...resources: string[]): void {
    this.get(name).addToRolePolicy(new PolicyStatement({ actions: [...actions], resources, conditions }));
  }

  /** Sets the variables of a function, by their keys in `core/settings/environment.ts`. */
  setEnvironment(name: FunctionName, variables: Partial<Record<EnvironmentKey, string>>): void {
    for (const [key, value] of Object.entries(variables)) {
      this.get(name).addEnvironment(ENVIRONMENT[key as EnvironmentKey], value);
    }
  }

  private function(name: FunctionName, props: FunctionsProps): Function {
    const logGroup = new LogGroup(this, `${name}Logs`, {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: props.removalPolicy,
      ...(props.encryptionKey !== undefined && { encryptionKey: props.encryptionKey }),
    });
    const { timeoutSeconds, memoryMib, uses } = FUNCTIONS[name];
    const storage = uses.includes("drivers") ? props.storageOptions : {};
    return new Function(this, name, {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: "index.handler",
      code: props.codeOf(name, props.filesOf(name)),
      timeout: Duration.seconds(timeoutSeconds),
      memorySize: memoryMib,
      tracing: Tracing.ACTIVE,
      logGroup,
      role: this.role(name, logGroup, storage.vpc !== undefined),
      environment: {
        NODE_OPTIONS: nodeOptionsOf(name),
        ...(uses.includes("every-backend") && { UV_THREADPOOL_SIZE: String(THREADS_FOR_FILES) }),
      },
      ...storage,
      ...(isCalledByEvents(name) && props.asynchronousOptions(name)),
    });
  }

  /** A role that may write its function's log, and have a network interface if the function is in a network. */
  private role(name: FunctionName, logGroup: LogGroup, inNetwork: boolean): Role {
    const role = new Role(this, `${name}ServiceRole`, {
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
      description: `${name} of ${Stack.of(this).stackName}`,
    });
    logGroup.grantWrite(role);
    if (inNetwork) {
      role.addToPolicy(new PolicyStatement({ actions: NETWORK_INTERFACES, resources: ["*"] }));
      role.addToPolicy(
        new PolicyStatement({
          effect: Effect.DENY,
          actions: ["ec2:*"],
          resources: ["*"],
          conditions: CALLED_BY_FUNCTION_CODE,
        }),
      );
    }
    return role;
  }
}

/**
 * Threads of Node's pool in those functions. A call to a hung mount holds its thread until the server answers, and the pool also resolves
 * the names of AWS's endpoints: with the usual four, one hung backend would stop the reports of all others. A process gives up four calls of
 * one backend at most (`core/backends/limited-drivers.ts`), and a survey of files that is cut off holds up to 32 threads, so these suffice for
 * several backends that hang. A thread costs some 10 KB until it is used. In every other function a hung call ends with its process.
 *
 * @see https://nodejs.org/api/cli.html#uv_threadpool_sizesize
 */
const THREADS_FOR_FILES = 128;

/** Functions that Lambda calls asynchronously. */
export type EventFunctionName = NameOfKind<"event" | "schedule">;

function isCalledByEvents(name: FunctionName): name is EventFunctionName {
  return ["event", "schedule"].includes(FUNCTIONS[name].kind);
}

/**
 * The buffers of an image copy become garbage at once. A small young generation keeps less of it: 131 MiB resident instead of 171, for 6 %
 * more processor time (`npm run bench -- large-image --gib 3`).
 */
function nodeOptionsOf(name: FunctionName): string {
  return name === "CopyImageToVolume" ? "--enable-source-maps --max-semi-space-size=1" : "--enable-source-maps";
}
