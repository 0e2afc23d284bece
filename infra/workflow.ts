import { ArnFormat, CfnDeletionPolicy, Duration, Fn, Stack } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import {
  CfnStateMachineAlias,
  CfnStateMachineVersion,
  CustomerManagedEncryptionConfiguration,
  type CfnStateMachine,
  DefinitionBody,
  LogLevel,
  StateMachine,
  StateMachineType,
} from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { TASK_NAMES } from "../core/settings/functions.ts";
import { EXECUTION_TIMEOUT_SECONDS } from "../core/settings/time-bounds.ts";
import { createVolumeDefinition } from "../statemachine/create-volume.ts";
import { acknowledge } from "./acknowledge.ts";
import type { Deployment } from "./deployment.ts";
import type { Functions } from "./functions.ts";
import type { DataProps } from "./records.ts";

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

/** Encryption and lifetime of the logs, and whether definitions are published as versions. */
export type WorkflowProps = DataProps & Pick<Deployment, "workflowVersions">;

/** The state machine `create volume`, its versions, and the alias by which executions are started. */
export class Workflow extends Construct {
  readonly stateMachine: StateMachine;
  /** ARN of the alias `live`, which points to the version deployed last; undefined in a stack without versions. */
  readonly aliasArn: string | undefined;

  constructor(scope: Construct, id: string, functions: Functions, props: WorkflowProps) {
    super(scope, id);
    const { removalPolicy, encryptionKey, workflowVersions } = props;
    const role = new Role(this, "CreateVolumeRole", { assumedBy: new ServicePrincipal("states.amazonaws.com") });
    const tasks = TASK_NAMES;
    role.addToPolicy(
      new PolicyStatement({
        actions: ["lambda:InvokeFunction"],
        resources: tasks.map((name) => functions.get(name).functionArn),
      }),
    );
    role.addToPolicy(new PolicyStatement({ actions: [...LOG_DELIVERY, ...TRACING], resources: ["*"] }));
    acknowledge(role, {
      "AwsSolutions-IAM5[Resource::*]": "The delivery of execution logs and traces has no resources",
    });
    if (encryptionKey !== undefined) {
      this.allowKey(role, encryptionKey);
    }
    this.stateMachine = new StateMachine(this, "CreateVolume", {
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromChainable(createVolumeDefinition(this, (name) => functions.get(name))),
      timeout: Duration.seconds(EXECUTION_TIMEOUT_SECONDS),
      tracingEnabled: true,
      // CDK's own grant would name every version of each function by a wildcard.
      role: role.withoutPolicyUpdates(),
      logs: {
        destination: new LogGroup(this, "ExecutionLogs", {
          logGroupName: this.logGroupName(),
          retention: RetentionDays.ONE_MONTH,
          removalPolicy,
          ...(encryptionKey !== undefined && { encryptionKey }),
        }),
        level: LogLevel.ALL,
        // Ids are in the logs of the functions; documents stay out.
        includeExecutionData: false,
      },
      ...(encryptionKey !== undefined && {
        encryptionConfiguration: new CustomerManagedEncryptionConfiguration(encryptionKey),
      }),
    });
    this.stateMachine.node.addDependency(role);
    this.aliasArn = workflowVersions ? this.alias().ref : undefined;
  }

  /**
   * Below `/aws/vendedlogs/`, where the account's resource policy for log deliveries, which has at most 5,120 characters, needs one entry
   * for all groups. A retained group must not conflict with the next stack of that name, hence the id.
   *
   * @see https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html
   */
  private logGroupName(): string {
    const { stackName, stackId } = Stack.of(this);
    return `/aws/vendedlogs/states/${stackName}-${Fn.select(2, Fn.split("/", stackId))}`;
  }

  /**
   * Step Functions encrypts executions and their histories, and the log delivery encrypts their logs, in the name of this role. The name of
   * the state machine is not known before the role.
   *
   * @see https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html
   */
  private allowKey(role: Role, key: IKey): void {
    const arn = (parts: { service: string; resource: string; resourceName?: string }): string =>
      Stack.of(this).formatArn({ ...parts, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
    const allow = (actions: string[], context: string, arnPattern: string): boolean =>
      role.addToPolicy(
        new PolicyStatement({
          actions,
          resources: [key.keyArn],
          conditions: { ArnLike: { [`kms:EncryptionContext:${context}`]: arnPattern } },
        }),
      );
    const machines = arn({ service: "states", resource: "stateMachine", resourceName: "*" });
    allow(["kms:Decrypt", "kms:GenerateDataKey"], "aws:states:stateMachineArn", machines);
    allow(["kms:GenerateDataKey"], "SourceArn", arn({ service: "logs", resource: "*" }));
  }

  /**
   * A version of each deployed definition, and the alias that points to the newest. Running executions keep their version, and each names
   * it; one call can make an older version live again.
   */
  private alias(): CfnStateMachineAlias {
    const machine = this.stateMachine.node.defaultChild as CfnStateMachine;
    const version = new CfnStateMachineVersion(this, "Version", {
      stateMachineArn: machine.ref,
      stateMachineRevisionId: machine.attrStateMachineRevisionId,
    });
    // A new revision replaces this resource; executions of its version may still be running.
    version.cfnOptions.updateReplacePolicy = CfnDeletionPolicy.RETAIN;
    version.cfnOptions.deletionPolicy = CfnDeletionPolicy.DELETE;
    return new CfnStateMachineAlias(this, "Live", {
      name: LIVE_ALIAS,
      deploymentPreference: { type: "ALL_AT_ONCE", stateMachineVersionArn: version.attrArn },
    });
  }
}
