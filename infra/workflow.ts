import { Duration } from "aws-cdk-lib";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { createVolumeDefinition } from "../statemachine/create-volume.ts";
import type { Functions } from "./functions.ts";

/** The longest that an execution may take. Copies end long before; the sweep takes a volume that does not move much earlier. */
const EXECUTION_TIMEOUT = Duration.hours(24);

/** The state machine `create volume`. */
export class Workflow extends Construct {
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, functions: Functions) {
    super(scope, id);
    this.stateMachine = new StateMachine(this, "CreateVolume", {
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromChainable(createVolumeDefinition(this, (name) => functions.get(name))),
      timeout: EXECUTION_TIMEOUT,
      tracingEnabled: true,
      logs: {
        destination: new LogGroup(this, "ExecutionLogs", { retention: RetentionDays.ONE_MONTH }),
        level: LogLevel.ALL,
        // Ids are in the logs of the functions; documents stay out.
        includeExecutionData: false,
      },
    });
  }
}
