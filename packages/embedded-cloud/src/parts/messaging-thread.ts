import { ACCOUNT_ID } from "../physical-names.ts";
import { guardServer } from "../request-guard.ts";
import { confineKeys } from "./confined-keys.ts";
import { loadFauxqs } from "./fauxqs-internals.ts";
import type { QueueState } from "../monitoring/monitoring.ts";
import type { HookReply, ReceivedMessage, S3Store, SnsStore, SqsStore } from "./fauxqs-internals.ts";
import type {
  QueueDefinition,
  ReceiveRequest,
  SqsRecord,
  SubscriptionDefinition,
  TopicDefinition,
} from "./messaging.ts";
import { serveCalls } from "./serve-calls.ts";

const KEEP_ALIVE_MILLISECONDS = 65_000;

const fauxqs = await loadFauxqs();

interface Running {
  readonly sqs: SqsStore;
  readonly sns: SnsStore;
  readonly s3: S3Store;
  readonly region: string;
  readonly address: string;
  close(): Promise<void>;
}

let running: Running | undefined;

function current(): Running {
  if (!running) throw new Error("messaging has not been started");
  return running;
}

serveCalls({
  start,
  stop: () => running?.close(),
  ensureQueue,
  ensureTopic,
  ensureSubscription,
  ensureBucket,
  receive,
  deleteMessages,
  sendMessage,
  queueStates,
});

async function start(options: {
  port: number;
  region: string;
  directory?: string;
  objectDirectory?: string;
}): Promise<string> {
  const sqs = new fauxqs.SqsStore();
  const sns = new fauxqs.SnsStore();
  const s3 = new fauxqs.S3Store();
  // An empty host makes fauxqs build queue URLs from the request's Host header: http://127.0.0.1:PORT/000000000000/NAME.
  sqs.host = "";
  const persistence = usePersistence(options, sqs, sns, s3);
  const app = fauxqs.buildApp({
    logger: false,
    defaultRegion: options.region,
    stores: { sqsStore: sqs, snsStore: sns, s3Store: s3 },
  });
  app.addHook("onRequest", refuseFormUpload);
  guardServer(app.server);
  app.server.keepAliveTimeout = KEEP_ALIVE_MILLISECONDS;
  const address = await app.listen({ port: options.port, host: "127.0.0.1" });
  for (const queue of Array.from(sqs.allQueues())) {
    // A stored queue has the URL of an earlier port.
    sqs.queues.delete(queue.url);
    queue.url = queueUrl(address, queue.name);
    sqs.queues.set(queue.url, queue);
  }
  const close = async (): Promise<void> => {
    await app.close();
    for (const part of persistence) part.close();
  };
  running = { sqs, sns, s3, region: options.region, address, close };
  return address;
}

/** Loads the directories' content, then writes every change through; in this order, as fauxqs itself does. */
function usePersistence(
  options: { directory?: string; objectDirectory?: string },
  sqs: SqsStore,
  sns: SnsStore,
  s3: S3Store,
): Array<{ close(): void }> {
  const opened: Array<{ close(): void }> = [];
  if (options.directory !== undefined) {
    const persistence = new fauxqs.PersistenceManager(options.directory);
    // With a write-ahead log, NORMAL survives the death of the process; only a power cut may take the last writes.
    persistence.db.exec("PRAGMA synchronous = NORMAL");
    persistence.loadSqsAndSns(sqs, sns);
    sqs.persistence = persistence;
    sns.persistence = persistence;
    for (const queue of sqs.allQueues()) queue.persistence = persistence;
    opened.push(persistence);
  }
  if (options.objectDirectory !== undefined) {
    const objects = confineKeys(new fauxqs.FileS3Persistence(options.objectDirectory), fauxqs.S3Error);
    objects.loadS3(s3);
    s3.persistence = objects;
    opened.push(objects);
  }
  return opened;
}

/** S3's form upload is for web pages, which are refused here. */
function refuseFormUpload(
  { headers }: { headers: Record<string, string | string[] | undefined> },
  reply: HookReply,
  done: () => void,
): void {
  if (!/^multipart\/form-data/i.test(String(headers["content-type"] ?? ""))) {
    done();
    return;
  }
  const message = "Uploads by a form are not supported by the embedded cloud; use PutObject";
  reply
    .code(405)
    .type("application/xml")
    .send(`<Error><Code>MethodNotAllowed</Code><Message>${message}</Message></Error>`);
}

function queueUrl(address: string, name: string): string {
  return `${address}/${ACCOUNT_ID}/${name}`;
}

class InvalidAttributeError extends Error {
  override readonly name = "InvalidAttributeError";

  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
  }
}

function ensureQueue({ name, attributes }: QueueDefinition): void {
  const { sqs, region, address } = current();
  fauxqs.validateQueueAttributes(attributes, InvalidAttributeError);
  const arn = `arn:aws:sqs:${region}:${ACCOUNT_ID}:${name}`;
  const existing = sqs.getQueueByArn(arn);
  if (existing) existing.setAttributes({ RedrivePolicy: "", ...attributes });
  else sqs.createQueue(name, queueUrl(address, name), arn, attributes);
}

function ensureTopic({ name, attributes }: TopicDefinition): void {
  const { sns, region } = current();
  const existing = sns.getTopic(`arn:aws:sns:${region}:${ACCOUNT_ID}:${name}`);
  if (existing) Object.assign(existing.attributes, attributes);
  else sns.createTopic(name, attributes, undefined, region);
}

/** Keeps an equal subscription, and replaces one whose attributes changed. */
function ensureSubscription({ topicArn, endpoint, attributes }: SubscriptionDefinition): void {
  const { sns } = current();
  if (attributes["FilterPolicy"] !== undefined) fauxqs.validateFilterPolicyLimits(attributes["FilterPolicy"]);
  const topic = sns.getTopic(topicArn);
  if (!topic) throw new Error(`topic ${topicArn} does not exist`);
  for (const arn of topic.subscriptionArns.slice()) {
    const existing = sns.subscriptions.get(arn);
    if (existing?.endpoint !== endpoint) continue;
    if (sameAttributes(existing.attributes, attributes)) return;
    sns.unsubscribe(arn);
  }
  sns.subscribe(topicArn, "sqs", endpoint, attributes);
}

function sameAttributes(left: Record<string, string>, right: Record<string, string>): boolean {
  const names = Object.keys({ ...left, ...right });
  return names.every((name) => left[name] === right[name]);
}

function ensureBucket({ name }: { name: string }): void {
  current().s3.createBucket(name);
}

async function receive({ queueArn, maxMessages, waitSeconds }: ReceiveRequest): Promise<SqsRecord[]> {
  const { sqs, region } = current();
  const queue = sqs.getQueueByArn(queueArn);
  if (!queue) throw new Error(`queue ${queueArn} does not exist`);
  const request = {
    QueueUrl: queue.url,
    MaxNumberOfMessages: maxMessages,
    WaitTimeSeconds: waitSeconds,
    MessageSystemAttributeNames: ["All"],
    MessageAttributeNames: ["All"],
  };
  const { Messages = [] } = await fauxqs.receiveMessage(request, sqs);
  return Messages.map((message) => sqsRecord(message, queueArn, region));
}

function sqsRecord(message: ReceivedMessage, queueArn: string, region: string): SqsRecord {
  const attributes: SqsRecord["messageAttributes"] = {};
  for (const [name, { DataType, StringValue, BinaryValue }] of Object.entries(message.MessageAttributes ?? {})) {
    attributes[name] = {
      ...(StringValue === undefined ? {} : { stringValue: StringValue }),
      ...(BinaryValue === undefined ? {} : { binaryValue: BinaryValue }),
      stringListValues: [],
      binaryListValues: [],
      dataType: DataType,
    };
  }
  return {
    messageId: message.MessageId,
    receiptHandle: message.ReceiptHandle,
    body: message.Body,
    attributes: message.Attributes ?? {},
    messageAttributes: attributes,
    md5OfBody: message.MD5OfBody,
    ...(message.MD5OfMessageAttributes ? { md5OfMessageAttributes: message.MD5OfMessageAttributes } : {}),
    eventSource: "aws:sqs",
    eventSourceARN: queueArn,
    awsRegion: region,
  };
}

function deleteMessages({ queueArn, receiptHandles }: { queueArn: string; receiptHandles: readonly string[] }): void {
  const queue = current().sqs.getQueueByArn(queueArn);
  for (const receiptHandle of receiptHandles) queue?.deleteMessage(receiptHandle);
}

function queueStates(): QueueState[] {
  const now = Date.now();
  return [...current().sqs.allQueues()].map((queue) => {
    const { ready } = queue.inspectMessages();
    const oldest = Math.min(now, ...ready.map(({ sentTimestamp }) => sentTimestamp));
    return { name: queue.name, visible: ready.length, oldestAgeSeconds: (now - oldest) / 1000 };
  });
}

function sendMessage({ queueArn, body }: { queueArn: string; body: string }): void {
  const queue = current().sqs.getQueueByArn(queueArn);
  if (!queue) throw new Error(`queue ${queueArn} does not exist`);
  const delaySeconds = Number(queue.attributes["DelaySeconds"] ?? 0);
  queue.enqueue(fauxqs.SqsStore.createMessage(body, {}, delaySeconds > 0 ? delaySeconds : undefined));
}
