import { PutItemCommand, type AttributeValue } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import type { AttemptClose, Owner } from "../../core/ports.ts";
import type { CopyProgress, Fault, VolumeRecord } from "../../core/records.ts";
import { startTables, type TestTables } from "./dynalite.ts";
import { ownerOf, queuedVolume, runningAttempt } from "./records.ts";

/** Fixture of the volume repository's contract: the file's own table, and a new queued volume for each test. */

export const HOST = "host@file#pool";
export const NOW = new Date("2026-01-01T01:00:00.000Z");
export const DEADLINE = new Date("2026-01-01T02:00:00.000Z");
export const FAR = new Date("2100-01-01T00:00:00.000Z");

export const fault: Fault = {
  error: "VolumeDriverException",
  cause: "no",
  attempt: 1,
  at: "2026-01-01T01:01:00.000Z",
  attempts: [],
};
export const close: AttemptClose = {
  outcome: "rescheduled",
  error: "VolumeDriverException",
  cause: "no",
  at: NOW,
  suspectedOrphan: false,
};
export const progress: CopyProgress = {
  bytes_done: 10,
  bytes_total: 100,
  updated_at: NOW.toISOString(),
  image_tag: "tag",
};

export let tables: TestTables;
export let volumes: DynamoDbVolumeRepository;
/** The volume of the test, and its first attempt. */
export let volume: VolumeRecord;
export let owner: Owner;

/** Registers the hooks that make and remove all of the above. */
export function useVolumes(): void {
  beforeAll(async () => {
    tables = await startTables();
    volumes = new DynamoDbVolumeRepository({ client: tables.client, tableName: "volumes", clock: { now: () => NOW } });
  });
  afterAll(async () => {
    await tables.close();
  });
  beforeEach(async () => {
    await replaceWith({ deadline: "2026-01-01T00:15:00.000Z", phase: "queued" });
  });
}

/** Makes the test's volume another one, with these columns; it is outside the flow unless it has a deadline. */
export async function replaceWith(columns: Partial<VolumeRecord>): Promise<void> {
  volume = queuedVolume({ deadline: null, phase: null, ...columns });
  owner = ownerOf(volume.id);
  await volumes.create(volume);
}

/** Replaces the volume's item with one as another service may have written it: without any column that may be absent. */
export async function putBare(columns: Record<string, AttributeValue>): Promise<void> {
  const item = { id: { S: volume.id }, size: { N: "1" }, status: { S: "creating" }, ...columns };
  await tables.client.send(new PutItemCommand({ TableName: "volumes", Item: item }));
}

/** The attempt takes the volume. */
export function assign(by: Owner = owner, host: string = HOST): Promise<VolumeRecord> {
  return volumes.assignHost(by, host, "nova", runningAttempt(by, host), DEADLINE);
}

/** Whether the volume is in the index of those in the flow. */
export async function isInIndex(): Promise<boolean> {
  const ids: string[] = [];
  let from: string | undefined;
  do {
    const page = await volumes.listOverdue(new Date("9999-01-01T00:00:00.000Z"), 100, from);
    ids.push(...page.items.map(({ id }) => id));
    from = page.next;
  } while (from !== undefined);
  return ids.includes(volume.id);
}
