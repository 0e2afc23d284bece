import { DeleteMessageBatchCommand, type Message, ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { setTimeout as delay } from "node:timers/promises";
import type { Notification } from "../../core/notifications/notifications.ts";
import type { Deployment } from "./deployment.ts";

/** A notification, with its volume's record at its arrival. */
export type Received = { notification: Notification; volumeId: string; recordStatus: string };

/** Everything that the subscribed queue delivers, in order of arrival. */
export type Inbox = {
  readonly received: readonly Received[];
  /** Waits until at least this many different notifications have arrived, or the time is up. */
  waitFor(count: number, timeoutMilliseconds: number): Promise<void>;
  stop(): Promise<void>;
};

/** Subscribes a queue to the notifications and reads it, as a consumer would. */
export async function openInbox(deployment: Deployment): Promise<Inbox> {
  const queueUrl = await deployment.subscribeQueue("demo-notifications");
  const received: Received[] = [];
  const abort = new AbortController();
  const reading = read(deployment, queueUrl, received, abort.signal);
  // The caller of `stop` reports it.
  reading.catch(() => undefined);
  return {
    received,
    waitFor: async (count, timeoutMilliseconds) => {
      const end = Date.now() + timeoutMilliseconds;
      while (messageIdsOf(received).size < count && Date.now() < end) {
        await delay(20);
      }
    },
    stop: async () => {
      abort.abort();
      await reading;
    },
  };
}

/** The different message ids among notifications; a repeat carries the same. */
export function messageIdsOf(received: readonly Received[]): Set<string> {
  return new Set(received.map(({ notification }) => notification.message_id));
}

async function read(
  { sqs, volumes }: Deployment,
  queueUrl: string,
  received: Received[],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    let messages: Message[];
    try {
      const receive = new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 });
      messages = (await sqs.send(receive, { abortSignal: signal })).Messages ?? [];
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      throw error;
    }
    if (messages.length === 0) {
      continue;
    }
    const notifications = messages.map(({ Body }) => JSON.parse(Body ?? "null") as Notification);
    const records = await volumes.getMany([...new Set(notifications.map(volumeIdOf))]);
    for (const notification of notifications) {
      const volumeId = volumeIdOf(notification);
      received.push({ notification, volumeId, recordStatus: records.get(volumeId)?.status ?? "missing" });
    }
    const entries = messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries }));
  }
}

function volumeIdOf(notification: Notification): string {
  return String(notification.payload["volume_id"]);
}
