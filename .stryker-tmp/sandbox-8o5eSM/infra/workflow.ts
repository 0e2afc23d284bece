// @ts-nocheck
import { CfnDeletionPolicy, Duration, type RemovalPolicy } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import {
  CfnStateMachineAlias,
  CfnStateMachineVersion,
  type CfnStateMachine,
  DefinitionBody,
  LogLevel,
  StateMachine,
  StateMachineType,
} from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { TASK_FUNCTIONS, type TaskFunctionName } from "../core/functions.ts";
import { EXECUTION_TIMEOUT_SECONDS } from "../core/time-bounds.ts";
import { createVolumeDefinition } from "../statemachine/create-volume.ts";
import { acknowledge } from "./acknowledge.ts";
import type { Functions } from "./functions.ts";

/** Delivery of execution logs and traces is granted without a resource: neither service knows one at that time. */
const LOG_DELIVERY = [
  "logs:CreateLogDelivery",
  "logs:GetLogDelivery",
  "logs:UpdateLogDelivery",
  "logs:DeleteLogDelivery",
  "logs:ListLogDeliveries",
  "logs:PutResourcePolicy",
  "logs:DescribeResourcePolicies",
  "logs:DescribeLogGroups",
];
const TRACING = [
  "xray:PutTraceSegments",
  "xray:PutTelemetryRecords",
  "xray:GetSamplingRules",
  "xray:GetSamplingTargets",
];

/** The alias by which executions are started. */
export const LIVE_ALIAS = "live";

/** The state machine `create volume`, its versions, and the alias by which executions are started. */
export class Workflow extends Construct {
  readonly stateMachine: StateMachine;
  /** ARN of the alias `live`, which leads to the version deployed last. */
  readonly aliasArn: string;

  constructor(scope: Construct, id: string, functions: Functions, removalPolicy: RemovalPolicy) {
    super(scope, id);
    const role = new Role(this, "CreateVolumeRole", { assumedBy: new ServicePrincipal("states.amazonaws.com") });
    const tasks = Object.keys(TASK_FUNCTIONS) as TaskFunctionName[];
    role.addToPolicy(
      new PolicyStatement({
        actions: ["lambda:InvokeFunction"],
        resources: tasks.map((name) => functions.get(name).functionArn),
      }),
    );
    role.addToPolicy(new PolicyStatement({ actions: [...LOG_DELIVERY, ...TRACING], resources: ["*"] }));
    acknowledge(role, {
      "AwsSolutions-IAM5[Resource::*]": "The delivery of execution logs and traces knows no resources",
    });
    this.stateMachine = new StateMachine(this, "CreateVolume", {
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromChainable(createVolumeDefinition(this, (name) => functions.get(name))),
      timeout: Duration.seconds(EXECUTION_TIMEOUT_SECONDS),
      tracingEnabled: true,
      // What CDK would add names every version of each function by a wildcard.
      role: role.withoutPolicyUpdates(),
      logs: {
        destination: new LogGroup(this, "ExecutionLogs", { retention: RetentionDays.ONE_MONTH, removalPolicy }),
        level: LogLevel.ALL,
        // Ids are in the logs of the functions; documents stay out.
        includeExecutionData: false,
      },
    });
    this.stateMachine.node.addDependency(role);
    this.aliasArn = this.alias().ref;
  }

  /**
   * A version of each definition that was deployed, and the alias that leads to the newest. Executions that run keep the version
   * by which they were started, and each says which one that was; an older one can be made live again in one call.
   */
  private alias(): CfnStateMachineAlias {
    const machine = this.stateMachine.node.defaultChild as CfnStateMachine;
    const version = new CfnStateMachineVersion(this, "Version", {
      stateMachineArn: machine.ref,
      stateMachineRevisionId: machine.attrStateMachineRevisionId,
    });
    // A new revision replaces this resource; the version that it stood for may still be running.
    version.cfnOptions.updateReplacePolicy = CfnDeletionPolicy.RETAIN;
    version.cfnOptions.deletionPolicy = CfnDeletionPolicy.DELETE;
    return new CfnStateMachineAlias(this, "Live", {
      name: LIVE_ALIAS,
      deploymentPreference: { type: "ALL_AT_ONCE", stateMachineVersionArn: version.attrArn },
    });
  }
}
