import { setTimeout as delay } from "node:timers/promises";
import type { FunctionEmulator } from "../functions/function-emulator.ts";
import { isJsonObject } from "../json.ts";
import type { MessagingPart, SqsRecord } from "../parts/messaging.ts";

/** An event source mapping of a queue. */
export interface SqsEventSourceDefinition {
  readonly queueArn: string;
  readonly functionName: string;
  readonly batchSize: number;
  readonly maximumBatchingWindowSeconds: number;
  readonly reportBatchItemFailures: boolean;
  /** `undefined`: one batch for each environment of the function. */
  readonly maximumConcurrency: number | undefined;
}

export interface SqsEventSource {
  /** Batches that the function is processing. */
  readonly busy: number;
  stop(): void;
}

export interface SqsEventSourceOptions {
  readonly definition: SqsEventSourceDefinition;
  readonly messaging: MessagingPart;
  readonly functions: FunctionEmulator;
  readonly reportProblem: (line: string) => void;
}

const LONG_POLL_SECONDS = 20;
const MAXIMUM_RECEIVE = 10;
const PROBLEM_PAUSE_MILLISECONDS = 1000;

/**
 * Polls a queue and invokes the function with batches. Processed messages are deleted. Messages that the function reported as failed, and
 * the whole batch when the invocation failed, stay in flight and come back after the queue's visibility timeout, as with Lambda. The next
 * batch is received only when there is room for it, so no message waits here while its visibility timeout runs.
 */
export function startSqsEventSource(options: SqsEventSourceOptions): SqsEventSource {
  const { definition, functions, reportProblem } = options;
  const concurrency = Math.min(
    definition.maximumConcurrency ?? Number.POSITIVE_INFINITY,
    Math.max(1, functions.capacityOf(definition.functionName)),
  );
  const stopping = new AbortController();
  let busy = 0;
  let wakeUp: (() => void) | undefined;

  const handleBatch = async (records: SqsRecord[]): Promise<void> => {
    busy += 1;
    try {
      await processBatch(records, options);
    } catch (error) {
      if (!stopping.signal.aborted) reportProblem(`${definition.functionName}: ${(error as Error).message}`);
    } finally {
      busy -= 1;
      wakeUp?.();
    }
  };
  const poll = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      if (busy >= concurrency) {
        await new Promise<void>((resolve) => {
          wakeUp = resolve;
        });
        wakeUp = undefined;
        continue;
      }
      try {
        const records = await gatherBatch(options);
        if (records.length > 0 && !stopping.signal.aborted) void handleBatch(records);
      } catch (error) {
        if (stopping.signal.aborted) return;
        reportProblem(`${definition.functionName}: ${(error as Error).message}`);
        await delay(PROBLEM_PAUSE_MILLISECONDS);
      }
    }
  };
  void poll();

  return {
    get busy() {
      return busy;
    },
    stop: () => {
      stopping.abort();
      wakeUp?.();
    },
  };
}

/** Waits for a first message, then receives more, up to the batch size, until the batching window ends. */
async function gatherBatch({ definition, messaging }: SqsEventSourceOptions): Promise<SqsRecord[]> {
  const { queueArn, batchSize, maximumBatchingWindowSeconds } = definition;
  const records = await messaging.receive({
    queueArn,
    maxMessages: Math.min(batchSize, MAXIMUM_RECEIVE),
    waitSeconds: LONG_POLL_SECONDS,
  });
  const windowEnd = Date.now() + maximumBatchingWindowSeconds * 1000;
  while (records.length > 0 && records.length < batchSize) {
    const waitSeconds = Math.max(0, Math.min(LONG_POLL_SECONDS, (windowEnd - Date.now()) / 1000));
    const maxMessages = Math.min(batchSize - records.length, MAXIMUM_RECEIVE);
    // Without a window, a batch that fits into one receive is complete: a second call would only cost time.
    if (waitSeconds === 0 && batchSize <= MAXIMUM_RECEIVE) break;
    const more = await messaging.receive({ queueArn, maxMessages, waitSeconds });
    if (more.length === 0 && waitSeconds === 0) break;
    records.push(...more);
  }
  return records;
}

async function processBatch(
  records: SqsRecord[],
  { definition, messaging, functions, reportProblem }: SqsEventSourceOptions,
): Promise<void> {
  const outcome = await functions.invoke(definition.functionName, JSON.stringify({ Records: records }));
  if (outcome.kind !== "succeeded") {
    if (outcome.kind === "failed") reportProblem(`${definition.functionName}: batch failed with ${outcome.errorType}`);
    return;
  }
  const failures = definition.reportBatchItemFailures ? failedItems(outcome.payload, records) : new Set<string>();
  const receiptHandles = records
    .filter(({ messageId }) => !failures.has(messageId))
    .map(({ receiptHandle }) => receiptHandle);
  if (receiptHandles.length > 0) await messaging.deleteMessages({ queueArn: definition.queueArn, receiptHandles });
}

/**
 * Message ids that a partial batch response names. As with Lambda, an empty response is a success, and one that is malformed or names
 * an unknown message fails the whole batch.
 */
export function failedItems(payload: string, records: readonly Pick<SqsRecord, "messageId">[]): Set<string> {
  const known = new Set(records.map(({ messageId }) => messageId));
  const response: unknown = JSON.parse(payload);
  if (response === null || (isJsonObject(response) && Object.keys(response).length === 0)) return new Set();
  const items = isJsonObject(response) ? response["batchItemFailures"] : undefined;
  if (items === null) return new Set();
  if (!Array.isArray(items)) return known;
  const failed = new Set<string>();
  for (const item of items) {
    const identifier = isJsonObject(item) ? item["itemIdentifier"] : undefined;
    if (typeof identifier !== "string" || !known.has(identifier)) return known;
    failed.add(identifier);
  }
  return failed;
}
