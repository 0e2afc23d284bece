import { PublishCommand, type MessageAttributeValue, type SNSClient } from "@aws-sdk/client-sns";
import { MESSAGE_ATTRIBUTES } from "../../core/settings/environment.ts";
import { describeError, NotificationNotSent } from "../../core/errors.ts";
import { DEFAULT_NOTIFICATION_ERA } from "../../core/notifications/notifications.ts";
import type { Notification, NotificationEra } from "../../core/notifications/notifications.ts";
import type { Notifier } from "../../core/ports.ts";
import { withinTopic } from "../../core/notifications/truncate-notification.ts";
import { messageText } from "../../core/requests/byte-budget.ts";
import { attributeText } from "../message-text.ts";

/** Dependencies of the notifier; `era` is the Cinder release whose payloads the topic's subscribers read. */
export type NotifierOptions = { client: Pick<SNSClient, "send">; topicArn: string; era?: NotificationEra };

/** Publishes to an SNS topic. One that is larger than a message may be is truncated, and says so: see {@link withinTopic}. The attributes are for the filter policies of its subscriptions. */
export class SnsNotifier implements Notifier {
  readonly era: NotificationEra;
  readonly #options: NotifierOptions;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.era = options.era ?? DEFAULT_NOTIFICATION_ERA;
  }

  async publish(notification: Notification): Promise<void> {
    const { client, topicArn } = this.#options;
    const command = new PublishCommand({
      TopicArn: topicArn,
      Message: messageText(withinTopic(notification)),
      MessageAttributes: attributesOf(notification),
    });
    try {
      await client.send(command);
    } catch (error) {
      const { name, message } = describeError(error);
      throw new NotificationNotSent(notification.event_type, attributeText(`${name}: ${message}`));
    }
  }
}

/** SNS refuses an empty attribute, so a value that is not known is left out. */
function attributesOf(notification: Notification): Record<string, MessageAttributeValue> {
  const values = {
    [MESSAGE_ATTRIBUTES.eventType]: notification.event_type,
    [MESSAGE_ATTRIBUTES.priority]: notification.priority,
    [MESSAGE_ATTRIBUTES.projectId]: notification._context_project_id ?? "",
  };
  return Object.fromEntries(
    Object.entries(values)
      .map(([name, value]) => [name, attributeText(value)] as const)
      .filter(([, text]) => text !== "")
      .map(([name, text]) => [name, { DataType: "String", StringValue: text }]),
  );
}
