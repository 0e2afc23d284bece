import { CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import { SqsEventSource } from "aws-cdk-lib/aws-lambda-event-sources";
import type { Construct } from "constructs";
import { readConfiguration } from "./configuration.ts";
import { type CodeOf, Functions } from "./functions.ts";
import { imagesBucket } from "./images-bucket.ts";
import { Messaging } from "./messaging.ts";
import { Nets } from "./nets.ts";
import { Records } from "./records.ts";
import { wireFunctions, wireStateMachine } from "./wiring.ts";
import { Workflow } from "./workflow.ts";

/** Messages that one scheduling takes at once; they share one read of the volumes and, mostly, of the backends. */
const SCHEDULER_BATCH_SIZE = 10;

/** The whole product as one stack. */
export class CinderlessStack extends Stack {
  constructor(scope: Construct, id: string, props: StackProps & { codeOf: CodeOf }) {
    super(scope, id, props);
    const records = new Records(this, "Records");
    const messaging = new Messaging(this, "Messaging");
    const functions = new Functions(this, "Functions", props.codeOf);
    const bucket = imagesBucket(this);
    const parts = {
      functions,
      records,
      messaging,
      imagesBucket: bucket,
      configuration: readConfiguration(this.node),
    };
    wireFunctions(parts);
    const { stateMachine } = new Workflow(this, "Workflow", functions);
    wireStateMachine(parts, stateMachine);
    functions.get("ScheduleVolume").addEventSource(
      new SqsEventSource(messaging.schedulerQueue, {
        batchSize: SCHEDULER_BATCH_SIZE,
        reportBatchItemFailures: true,
      }),
    );
    new Nets(this, "Nets", functions, stateMachine);

    const outputs: Record<string, string> = {
      SchedulerQueueUrl: messaging.schedulerQueue.queueUrl,
      SchedulerDeadLetterQueueUrl: messaging.schedulerDeadLetterQueue.queueUrl,
      StateMachineArn: stateMachine.stateMachineArn,
      NotificationsTopicArn: messaging.notificationsTopic.topicArn,
      VolumesTableName: records.volumes.tableName,
      SnapshotsTableName: records.snapshots.tableName,
      VolumeTypesTableName: records.volumeTypes.tableName,
      BackendsTableName: records.backends.tableName,
      ImagesBucketName: bucket.bucketName,
      CreateSnapshotFunctionName: functions.get("CreateSnapshot").functionName,
      DeleteSnapshotFunctionName: functions.get("DeleteSnapshot").functionName,
      DeleteVolumeFunctionName: functions.get("DeleteVolume").functionName,
    };
    for (const [name, value] of Object.entries(outputs)) {
      new CfnOutput(this, name, { value });
    }
  }
}
