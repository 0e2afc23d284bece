import { Duration } from "aws-cdk-lib";
import { Architecture, type Code, Function, Runtime } from "aws-cdk-lib/aws-lambda";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { ENVIRONMENT, type EnvironmentKey } from "../core/environment.ts";
import { type FunctionName, FUNCTIONS } from "../core/functions.ts";

/** Gives a function its code; injected, so that templates can be tested without bundling. */
export type CodeOf = (functionName: FunctionName) => Code;

/**
 * More memory is more CPU: at 1,769 MB a function has one vCPU. Functions that copy and hash are bound by it, the others wait for
 * answers most of the time.
 */
const MEMORY_MIB: Partial<Record<FunctionName, number>> = {
  CreateVolumeFromSnapshot: 1769,
  CreateClonedVolume: 1769,
  CloneImage: 1769,
  CheckBackend: 1769,
  CopyImageToVolume: 1769,
  CreateSnapshot: 1769,
};
const DEFAULT_MEMORY_MIB = 512;

/** Every function of the product by name; its variables and permissions follow where it is wired. */
export class Functions extends Construct {
  private readonly functions = new Map<FunctionName, Function>();

  constructor(scope: Construct, id: string, codeOf: CodeOf) {
    super(scope, id);
    for (const [name, timeoutSeconds] of Object.entries(FUNCTIONS) as [FunctionName, number][]) {
      const logGroup = new LogGroup(this, `${name}Logs`, { retention: RetentionDays.ONE_MONTH });
      const lambda = new Function(this, name, {
        runtime: Runtime.NODEJS_24_X,
        architecture: Architecture.ARM_64,
        handler: "index.handler",
        code: codeOf(name),
        timeout: Duration.seconds(timeoutSeconds),
        memorySize: MEMORY_MIB[name] ?? DEFAULT_MEMORY_MIB,
        logGroup,
        environment: { NODE_OPTIONS: "--enable-source-maps" },
      });
      this.functions.set(name, lambda);
    }
  }

  get(name: FunctionName): Function {
    const found = this.functions.get(name);
    if (found === undefined) {
      throw new Error(`No function ${name}`);
    }
    return found;
  }

  /** Sets the variables of a function, by their keys in `core/environment.ts`. */
  setEnvironment(name: FunctionName, variables: Partial<Record<EnvironmentKey, string>>): void {
    for (const [key, value] of Object.entries(variables)) {
      this.get(name).addEnvironment(ENVIRONMENT[key as EnvironmentKey], value);
    }
  }
}
