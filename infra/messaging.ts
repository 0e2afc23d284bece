import { Duration } from "aws-cdk-lib";
import { Topic } from "aws-cdk-lib/aws-sns";
import { Queue, QueueEncryption, type QueueProps } from "aws-cdk-lib/aws-sqs";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { LARGEST_MESSAGE_BYTES } from "../core/requests/byte-budget.ts";
import { SCHEDULER_RECEIVES, SHORT_FUNCTION_TIMEOUT_SECONDS, visibilitySeconds } from "../core/settings/time-bounds.ts";
import { acknowledge } from "./acknowledge.ts";

/** Protection of a queue: encrypted under the service's key or the customer's, with access by TLS only. */
function queueProtection(encryptionKey: IKey | undefined): QueueProps {
  return encryptionKey === undefined
    ? { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true }
    : { encryption: QueueEncryption.KMS, encryptionMasterKey: encryptionKey, enforceSSL: true };
}

/** Receives of a dead letter that cannot be stored, 180 s apart: one day, longer than an outage of the table or the topic. */
const KEEP_RECEIVES = 480;

/** How long a message is hidden while a function has it. A deployment with its own time bounds sets another. */
const VISIBILITY = Duration.seconds(
  visibilitySeconds({ short_function_timeout_seconds: SHORT_FUNCTION_TIMEOUT_SECONDS }),
);

/** The scheduler queue with its dead letters, those of the events, and the topic of notifications. */
export class Messaging extends Construct {
  readonly schedulerQueue: Queue;
  readonly schedulerDeadLetterQueue: Queue;
  /** Events of the nets and schedules that could not be delivered, or whose function kept failing; letters that could not be stored. */
  readonly eventsDeadLetterQueue: Queue;
  readonly notificationsTopic: Topic;

  constructor(scope: Construct, id: string, encryptionKey: IKey | undefined) {
    super(scope, id);
    const protection = queueProtection(encryptionKey);
    this.eventsDeadLetterQueue = new Queue(this, "EventsDeadLetterQueue", {
      ...protection,
      retentionPeriod: Duration.days(14),
    });
    acknowledge(this.eventsDeadLetterQueue, { "Serverless-SQSRedrivePolicy": "It is a dead-letter queue" });
    this.schedulerDeadLetterQueue = new Queue(this, "SchedulerDeadLetterQueue", {
      ...protection,
      // KeepDeadLetters empties it at once. If the function does not run at all, two weeks are left to fix it.
      retentionPeriod: Duration.days(14),
      visibilityTimeout: VISIBILITY,
      // A letter that cannot be stored for a day moves to a queue with an alarm, instead of coming again for two weeks.
      deadLetterQueue: { queue: this.eventsDeadLetterQueue, maxReceiveCount: KEEP_RECEIVES },
    });
    this.schedulerQueue = new Queue(this, "SchedulerQueue", {
      ...protection,
      retentionPeriod: Duration.days(4),
      maxMessageSizeBytes: LARGEST_MESSAGE_BYTES,
      visibilityTimeout: VISIBILITY,
      deadLetterQueue: { queue: this.schedulerDeadLetterQueue, maxReceiveCount: SCHEDULER_RECEIVES },
    });
    this.notificationsTopic = new Topic(this, "NotificationsTopic", {
      enforceSSL: true,
      ...(encryptionKey !== undefined && { masterKey: encryptionKey }),
    });
  }
}
