import { Duration } from "aws-cdk-lib";
import { Rule, Schedule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import type { StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { REPORT_INTERVAL_SECONDS, SWEEP_INTERVAL_SECONDS } from "../core/time-bounds.ts";
import type { Functions } from "./functions.ts";

/**
 * The nets below the workflow's own Catch branches, and the reports of the backends: a rule on executions that failed, timed out or
 * were aborted, and two schedules.
 */
export class Nets extends Construct {
  constructor(scope: Construct, id: string, functions: Functions, stateMachine: StateMachine) {
    super(scope, id);
    new Rule(this, "ExecutionFailed", {
      description: "Executions that ended without deciding their volume",
      eventPattern: {
        source: ["aws.states"],
        detailType: ["Step Functions Execution Status Change"],
        detail: { status: ["FAILED", "TIMED_OUT", "ABORTED"], stateMachineArn: [stateMachine.stateMachineArn] },
      },
      targets: [new LambdaFunction(functions.get("ErrorOutFailedExecution"), { retryAttempts: 10 })],
    });
    new Rule(this, "SweepSchedule", {
      description: "Volumes past their deadline",
      schedule: Schedule.rate(Duration.seconds(SWEEP_INTERVAL_SECONDS)),
      targets: [new LambdaFunction(functions.get("SweepOverdueVolumes"))],
    });
    new Rule(this, "ReportSchedule", {
      description: "Capacity and capabilities of the backends",
      schedule: Schedule.rate(Duration.seconds(REPORT_INTERVAL_SECONDS)),
      targets: [new LambdaFunction(functions.get("ReportBackends"))],
    });
  }
}
