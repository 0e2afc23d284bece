import { BatchGetItemCommand } from "@aws-sdk/client-dynamodb";
import { INDEXES } from "../../core/environment.ts";
import type { Page, VolumeFilter } from "../../core/ports.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { queryPage, scanPage, type ScanFilter } from "./paging.ts";
import type { Item, Table } from "./table.ts";
import { IN_FLOW, readVolume } from "./volume-item.ts";

/** The reads of more than one volume. */

/** Most keys of one BatchGetItem. */
const BATCH_SIZE = 100;

/** How long the first wait for keys that a batch left unread is; each further one is twice as long. */
const UNREAD_KEYS_WAIT_MS = 50;

/** The columns that a listing may be narrowed by. */
const FILTER_COLUMNS = [
  ["status", "status"],
  ["host", "host"],
  ["name", "display_name"],
  ["projectId", "project_id"],
] as const satisfies [keyof VolumeFilter, keyof VolumeRecord][];

/** The volumes that exist among `volumeIds`, by id, read consistently. */
export async function getVolumes(table: Table, volumeIds: readonly string[]): Promise<Map<string, VolumeRecord>> {
  const found = new Map<string, VolumeRecord>();
  let keys = [...new Set(volumeIds)].map((id): Item => ({ id: { S: id } }));
  let waitMs = UNREAD_KEYS_WAIT_MS;
  while (keys.length > 0) {
    const unread = await readBatch(table, keys.slice(0, BATCH_SIZE), found);
    keys = [...unread, ...keys.slice(BATCH_SIZE)];
    if (unread.length > 0) {
      await delay(waitMs);
      waitMs *= 2;
    }
  }
  return found;
}

/** A page of the volumes that match a filter. */
export async function listVolumes(
  table: Table,
  filter: VolumeFilter,
  limit: number,
  from?: string,
): Promise<Page<VolumeRecord>> {
  const page = await scanPage(table, limit, from, scanFilter(filter));
  return { ...page, items: page.items.map(readVolume) };
}

/** A page of the volumes whose deadline has passed, the longest overdue first. */
export async function listOverdueVolumes(
  table: Table,
  now: Date,
  limit: number,
  from?: string,
): Promise<Page<{ id: string; deadline: string }>> {
  const query = {
    IndexName: INDEXES.volumesByDeadline,
    KeyConditionExpression: "#in_flow = :in_flow AND #deadline < :now",
    ExpressionAttributeNames: { "#in_flow": "in_flow", "#deadline": "deadline" },
    ExpressionAttributeValues: { ":in_flow": { S: IN_FLOW }, ":now": { S: now.toISOString() } },
    keyAttributes: ["id", "in_flow", "deadline"],
  };
  const page = await queryPage(table, query, limit, from);
  return {
    ...page,
    items: page.items.map((item) => ({
      id: item["id"]?.S ?? "",
      deadline: item["deadline"]?.S ?? "",
    })),
  };
}

/** Reads one batch into `found`; returns the keys that the table left unread. */
async function readBatch(
  { client, tableName }: Table,
  keys: Item[],
  found: Map<string, VolumeRecord>,
): Promise<Item[]> {
  const command = new BatchGetItemCommand({
    RequestItems: { [tableName]: { Keys: keys, ConsistentRead: true } },
  });
  const { Responses, UnprocessedKeys } = await client.send(command);
  for (const item of Responses?.[tableName] ?? []) {
    const record = readVolume(item);
    found.set(record.id, record);
  }
  return UnprocessedKeys?.[tableName]?.Keys ?? [];
}

function scanFilter(filter: VolumeFilter): ScanFilter | undefined {
  const asked = FILTER_COLUMNS.flatMap(([key, column]) => {
    const value = filter[key];
    return value === undefined ? [] : [{ column, value }];
  });
  if (asked.length === 0) {
    return undefined;
  }
  return {
    FilterExpression: asked.map(({ column }) => `#${column} = :${column}`).join(" AND "),
    ExpressionAttributeNames: Object.fromEntries(asked.map(({ column }) => [`#${column}`, column])),
    ExpressionAttributeValues: Object.fromEntries(asked.map(({ column, value }) => [`:${column}`, { S: value }])),
  };
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
