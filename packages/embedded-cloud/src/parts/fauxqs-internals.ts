import type { Server } from "node:http";

/**
 * The stores of fauxqs 2.4, which its package does not export. They are loaded by file so that the server can listen on 127.0.0.1 only
 * (`startFauxqs` always takes 0.0.0.0), return queue URLs with its real address, and pass messages to event sources without HTTP. Check
 * this file when the pinned version changes.
 */

export interface FauxqsQueue {
  name: string;
  url: string;
  arn: string;
  attributes: Record<string, string>;
  persistence: unknown;
  isFifo(): boolean;
  setAttributes(attributes: Record<string, string>): void;
  deleteMessage(receiptHandle: string): boolean;
  enqueue(message: object): void;
  cancelWaiters(): void;
  inspectMessages(): { ready: { sentTimestamp: number }[] };
}

export interface SqsStore {
  host: string;
  persistence: unknown;
  queues: Map<string, FauxqsQueue>;
  allQueues(): Iterable<FauxqsQueue>;
  getQueueByArn(arn: string): FauxqsQueue | undefined;
  createQueue(name: string, url: string, arn: string, attributes: Record<string, string>): FauxqsQueue;
}

export interface FauxqsSubscription {
  arn: string;
  protocol: string;
  endpoint: string;
  attributes: Record<string, string>;
}

export interface FauxqsTopic {
  arn: string;
  attributes: Record<string, string>;
  subscriptionArns: string[];
}

export interface SnsStore {
  persistence: unknown;
  subscriptions: Map<string, FauxqsSubscription>;
  createTopic(name: string, attributes: Record<string, string>, tags: undefined, region: string): FauxqsTopic;
  getTopic(arn: string): FauxqsTopic | undefined;
  subscribe(topicArn: string, protocol: string, endpoint: string, attributes: Record<string, string>): unknown;
  unsubscribe(arn: string): unknown;
}

export interface S3Store {
  persistence: unknown;
  createBucket(name: string): void;
}

interface Persistence {
  db: { exec(sql: string): void };
  loadSqsAndSns(sqs: SqsStore, sns: SnsStore): void;
  close(): void;
}

/** Stores objects as files; each of these methods builds paths from the given names. */
export interface ObjectPersistence {
  insertBucket(name: string, ...rest: unknown[]): void;
  upsertObject(bucket: string, object: { key: string }): void;
  deleteObject(bucket: string, key: string): void;
  renameObject(bucket: string, from: string, to: string): void;
  readBody(bucket: string, key: string): Buffer;
  insertMultipartUpload(upload: { bucket: string; key: string }): void;
  loadS3(s3: S3Store): void;
  close(): void;
}

/** A message in the form of fauxqs's ReceiveMessage. */
export interface ReceivedMessage {
  MessageId: string;
  ReceiptHandle: string;
  Body: string;
  MD5OfBody: string;
  MD5OfMessageAttributes?: string;
  Attributes?: Record<string, string>;
  MessageAttributes?: Record<string, { DataType: string; StringValue?: string; BinaryValue?: string }>;
}

/** The reply object of a hook of fauxqs's server. */
export interface HookReply {
  code(status: number): HookReply;
  type(contentType: string): HookReply;
  send(body: string): void;
}

export interface FauxqsInternals {
  readonly buildApp: (options: object) => {
    listen(options: { port: number; host: string }): Promise<string>;
    close(): Promise<void>;
    addHook(
      name: "onRequest",
      hook: (
        request: { headers: Record<string, string | string[] | undefined> },
        reply: HookReply,
        done: () => void,
      ) => void,
    ): void;
    server: Server;
  };
  readonly SqsStore: {
    new (): SqsStore;
    createMessage(body: string, messageAttributes: object, delaySeconds: number | undefined): object;
  };
  readonly SnsStore: new () => SnsStore;
  readonly S3Store: new () => S3Store;
  readonly PersistenceManager: new (directory: string) => Persistence;
  readonly FileS3Persistence: new (directory: string) => ObjectPersistence;
  /** Answered as S3 answers an error; any other error is a 500. */
  readonly S3Error: new (code: string, message: string, statusCode: number) => Error;
  readonly receiveMessage: (request: object, store: SqsStore) => Promise<{ Messages?: ReceivedMessage[] }>;
  readonly validateQueueAttributes: (
    attributes: Record<string, string>,
    errorClass: new (code: string, message: string) => Error,
  ) => void;
  readonly validateFilterPolicyLimits: (policy: string) => void;
}

const MODULES = [
  "./app.js",
  "./sqs/sqsStore.js",
  "./sns/snsStore.js",
  "./s3/s3Store.js",
  "./persistence.js",
  "./s3/fileS3Persistence.js",
  "./common/errors.js",
  "./sqs/actions/receiveMessage.js",
  "./sqs/sqsTypes.js",
  "./sns/filter.js",
] as const;

export async function loadFauxqs(): Promise<FauxqsInternals> {
  const base = import.meta.resolve("fauxqs");
  const loaded = await Promise.all(MODULES.map((module) => import(new URL(module, base).href) as Promise<object>));
  return Object.assign({}, ...loaded) as FauxqsInternals;
}
