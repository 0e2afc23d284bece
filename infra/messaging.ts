import { Duration } from "aws-cdk-lib";
import { Topic } from "aws-cdk-lib/aws-sns";
import { Queue, QueueEncryption, type QueueProps } from "aws-cdk-lib/aws-sqs";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { SCHEDULER_RECEIVES, SHORT_FUNCTION_TIMEOUT_SECONDS, visibilitySeconds } from "../core/time-bounds.ts";
import { acknowledge } from "./acknowledge.ts";

/** A queue's own rights: encrypted under the service's key or the customer's, and spoken to by TLS only. */
export function queueProtection(encryptionKey: IKey | undefined): QueueProps {
  return encryptionKey === undefined
    ? { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true }
    : { encryption: QueueEncryption.KMS, encryptionMasterKey: encryptionKey, enforceSSL: true };
}

/** As much as a workflow's input may be, and a dead letter's item in its table (400 KB) with room for what is kept beside it. */
const LONGEST_MESSAGE_BYTES = 262_144;

/** How long a message is hidden while a function has it. A deployment with its own time bounds sets another. */
const VISIBILITY = Duration.seconds(
  visibilitySeconds({ short_function_timeout_seconds: SHORT_FUNCTION_TIMEOUT_SECONDS }),
);

/** The scheduler queue with its dead letters, those of the events, and the topic of notifications. */
export class Messaging extends Construct {
  readonly schedulerQueue: Queue;
  readonly schedulerDeadLetterQueue: Queue;
  /** Events of the nets and schedules that could not be delivered, or whose function kept failing. */
  readonly eventsDeadLetterQueue: Queue;
  readonly notificationsTopic: Topic;

  constructor(scope: Construct, id: string, encryptionKey: IKey | undefined) {
    super(scope, id);
    const protection = queueProtection(encryptionKey);
    this.schedulerDeadLetterQueue = new Queue(this, "SchedulerDeadLetterQueue", {
      ...protection,
      // A way station: KeepDeadLetters empties it at once. Two weeks are for the function to be mended in, should it fail.
      retentionPeriod: Duration.days(14),
      visibilityTimeout: VISIBILITY,
    });
    acknowledge(this.schedulerDeadLetterQueue, {
      "Serverless-SQSRedrivePolicy": "It is the dead-letter queue",
    });
    this.schedulerQueue = new Queue(this, "SchedulerQueue", {
      ...protection,
      retentionPeriod: Duration.days(4),
      maxMessageSizeBytes: LONGEST_MESSAGE_BYTES,
      visibilityTimeout: VISIBILITY,
      deadLetterQueue: { queue: this.schedulerDeadLetterQueue, maxReceiveCount: SCHEDULER_RECEIVES },
    });
    this.eventsDeadLetterQueue = new Queue(this, "EventsDeadLetterQueue", {
      ...protection,
      retentionPeriod: Duration.days(14),
    });
    acknowledge(this.eventsDeadLetterQueue, { "Serverless-SQSRedrivePolicy": "It is a dead-letter queue" });
    this.notificationsTopic = new Topic(this, "NotificationsTopic", {
      enforceSSL: true,
      ...(encryptionKey !== undefined && { masterKey: encryptionKey }),
    });
  }
}
