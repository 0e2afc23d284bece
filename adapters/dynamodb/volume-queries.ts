import type { Found, Page, VolumeFilter } from "../../core/ports.ts";
import type { VolumeRecord, VolumeSummary } from "../../core/records.ts";
import { getItems } from "./batch.ts";
import { scanPage, type ScanFilter } from "./paging.ts";
import type { Table } from "./table.ts";
import { foundOf, pageOf } from "./reading.ts";
import { SUMMARIES, SUMMARY_COLUMNS, VOLUMES } from "./volume-item.ts";

/** The reads of more than one volume. */

/** The columns that a listing may be narrowed by. */
const FILTER_COLUMNS = [
  ["status", "status"],
  ["host", "host"],
  ["name", "display_name"],
  ["projectId", "project_id"],
] as const satisfies [keyof VolumeFilter, keyof VolumeRecord][];

/** The volumes that exist among `volumeIds`, by id, read consistently. */
export async function getVolumes(table: Table, volumeIds: readonly string[]): Promise<Found<VolumeRecord>> {
  return foundOf(VOLUMES.readEach(await getItems(table, volumeIds)));
}

/** The same of a few columns. */
export async function listSummaries(table: Table, volumeIds: readonly string[]): Promise<Found<VolumeSummary>> {
  return foundOf(SUMMARIES.readEach(await getItems(table, volumeIds, SUMMARY_COLUMNS)));
}

/** A page of the volumes that match a filter. */
export async function listVolumes(
  table: Table,
  filter: VolumeFilter,
  limit: number,
  from?: string,
): Promise<Page<VolumeRecord>> {
  return pageOf(await scanPage(table, limit, from, scanFilter(filter)), VOLUMES);
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
    FilterExpression: asked.map(conditionOf).join(" AND "),
    ExpressionAttributeNames: Object.fromEntries(asked.map(({ column }) => [`#${column}`, column])),
    ExpressionAttributeValues: Object.fromEntries(
      asked.map((one) => [`:${one.column}`, { S: isBackend(one) ? `${one.value}#` : one.value }]),
    ),
  };
}

type Asked = { column: (typeof FILTER_COLUMNS)[number][1]; value: string };

/** Whether it names a backend with all of its pools: every host of a record has its pool. */
function isBackend({ column, value }: Asked): boolean {
  return column === "host" && !value.includes("#");
}

function conditionOf(one: Asked): string {
  return isBackend(one) ? `begins_with(#${one.column}, :${one.column})` : `#${one.column} = :${one.column}`;
}
