import { Duration } from "aws-cdk-lib";
import { Topic } from "aws-cdk-lib/aws-sns";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { SHORT_FUNCTION_TIMEOUT_SECONDS } from "../core/time-bounds.ts";

/** The scheduler queue with its dead letters, and the topic of notifications. */
export class Messaging extends Construct {
  readonly schedulerQueue: Queue;
  readonly schedulerDeadLetterQueue: Queue;
  readonly notificationsTopic: Topic;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.schedulerDeadLetterQueue = new Queue(this, "SchedulerDeadLetterQueue", {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    this.schedulerQueue = new Queue(this, "SchedulerQueue", {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(4),
      // AWS asks for a visibility of at least the function's time-out; four times leaves room for its throttling.
      visibilityTimeout: Duration.seconds(4 * SHORT_FUNCTION_TIMEOUT_SECONDS),
      deadLetterQueue: { queue: this.schedulerDeadLetterQueue, maxReceiveCount: 5 },
    });
    this.notificationsTopic = new Topic(this, "NotificationsTopic", { enforceSSL: true });
  }
}
