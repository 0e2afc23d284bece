import { createHash } from "node:crypto";
import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch";
import type { SQSHandler, SQSRecord } from "aws-lambda";
import { MESSAGE_ATTRIBUTES } from "../core/settings/environment.ts";
import { describeError } from "../core/errors.ts";
import { keepDeadLetter, type KeepDependencies } from "../core/dead-letters/keep-dead-letter.ts";
import type { MembershipDependencies } from "../core/volumes/leave-project.ts";
import {
  backends,
  bounds,
  clock,
  deadLetters,
  locks,
  membership,
  notifier,
  projects,
  volumes,
} from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { logger } from "./runtime/logger.ts";
import { writeMetrics } from "./runtime/metrics.ts";

export const ports = {
  backends: backends("list", "release", "returnCapacity", "settle", "settleUnsent"),
  deadLetters: deadLetters("keep"),
  locks: locks("remove"),
  projects: projects("claimName", "giveBack", "leave"),
  volumes: volumes("beginRequestedDelete", "finishDelete", "get", "markError", "markUnschedulable"),
} satisfies PortsOf<KeepDependencies & MembershipDependencies>;

const processor = new BatchProcessor(EventType.SQS);

/**
 * Consumes the scheduler's dead-letter queue. A letter that cannot be stored stays there and comes again, alone, until the queue drops it:
 * see {@link keepDeadLetter}.
 */
export const handler: SQSHandler = (event, context) => {
  const deps = {
    ...made(ports),
    membership: membership(ports),
    notifier: notifier(),
    clock,
    ...bounds(),
  };
  return processPartialResponse(event, (record: SQSRecord) => keep(deps, record), processor, {
    context,
    throwOnFullBatchFailure: false,
  });
};

async function keep(deps: KeepDependencies, record: SQSRecord): Promise<void> {
  const { attributes, body, messageAttributes, messageId } = record;
  const letter = {
    id: messageId,
    body,
    bodySha256: createHash("sha256").update(body).digest("hex"),
    reason: messageAttributes[MESSAGE_ATTRIBUTES.reason]?.stringValue,
    receivedCount: Number(attributes.ApproximateReceiveCount),
    sentAt: new Date(Number(attributes.SentTimestamp)),
  };
  try {
    const { outcome, volumeId } = await keepDeadLetter(deps, letter);
    writeMetrics({ deadLetters: 1 });
    logger.warn("dead letter kept", { message_id: messageId, volume_id: volumeId, outcome });
  } catch (error) {
    const { name, message } = describeError(error);
    logger.error("dead letter comes again", { message_id: messageId, error: name, cause: message });
    throw error;
  }
}
