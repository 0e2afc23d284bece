import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch";
import type { SQSHandler, SQSRecord } from "aws-lambda";
import { describeError, UnreadableRecord } from "../core/errors.ts";
import type { VolumeRepository, Found } from "../core/ports.ts";
import type { VolumeRecord } from "../core/records.ts";
import { readMessage, receiveMessage, type ReceiveDependencies } from "../core/scheduling/receive-message.ts";
import type { MembershipDependencies } from "../core/volumes/leave-project.ts";
import {
  backends,
  bounds,
  candidates,
  clock,
  locks,
  membership,
  notifier,
  projects,
  queue,
  settings,
  snapshots,
  volumes,
  volumeTypes,
  workflow,
} from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { logger } from "./runtime/logger.ts";
import { writeMetrics } from "./runtime/metrics.ts";

export const ports = {
  backends: backends("claim", "claimOf", "list", "release", "returnCapacity", "settle", "settleUnsent"),
  locks: locks("remove"),
  projects: projects("claimName", "giveBack", "leave"),
  snapshots: snapshots("get"),
  volumeTypes: volumeTypes("get"),
  volumes: volumes(
    "assignHost",
    "beginRequestedDelete",
    "finishDelete",
    "get",
    "getMany",
    "markError",
    "markUnschedulable",
  ),
} satisfies PortsOf<
  ReceiveDependencies &
    MembershipDependencies & { backends: ReceiveDependencies["candidates"]; volumes: Pick<VolumeRepository, "getMany"> }
>;

const processor = new BatchProcessor(EventType.SQS);

function dependencies() {
  return {
    ...made(ports),
    membership: membership(ports),
    candidates: candidates(ports),
    notifier: notifier(),
    queue: queue(),
    workflow: workflow(),
    settings: settings(),
    clock,
    ...bounds(),
  };
}

/**
 * Consumes the scheduler queue. The records of a batch are read at once; a message that fails comes again, alone. Messages may
 * come twice and in any order: see {@link receiveMessage}.
 */
export const handler: SQSHandler = async (event, context) => {
  const deps = dependencies();
  const ids = event.Records.flatMap(({ body }) => readMessage(body).volumeId ?? []);
  const records = await deps.volumes.getMany([...new Set(ids)]);
  return processPartialResponse(event, (record: SQSRecord) => receive(deps, record, records), processor, {
    context,
    throwOnFullBatchFailure: false,
  });
};

async function receive(deps: ReceiveDependencies, record: SQSRecord, records: Found<VolumeRecord>): Promise<void> {
  const read = readMessage(record.body);
  const keys = { volume_id: read.volumeId, message_id: record.messageId };
  try {
    const unreadable = records.unreadable?.find(({ id }) => id === read.volumeId);
    if (unreadable !== undefined) {
      throw new UnreadableRecord("volume", unreadable.id, unreadable.reason);
    }
    const result = await receiveMessage(
      deps,
      read,
      read.volumeId === undefined ? undefined : records.get(read.volumeId),
    );
    logger.info("message taken", { ...keys, outcome: result.outcome, detail: result.detail });
    if (result.unscheduled === true) {
      writeMetrics({ unscheduledCreates: 1 });
    }
  } catch (error) {
    const { name, message } = describeError(error);
    logger.warn("message comes again", { ...keys, error: name, cause: message });
    throw error;
  }
}
