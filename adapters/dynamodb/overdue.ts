import type { Page } from "../../core/ports.ts";
import { queryPage } from "./paging.ts";
import type { Table } from "./table.ts";

/** Value of `in_flow` on every item that has a deadline: the partition of the sparse index by deadline. */
export const IN_FLOW = "y";

/** Paths to remove when nothing owns the record any more. */
export const LEAVE_INDEX = "#in_flow, #deadline";

/** A page of the items of an index by deadline whose deadline has passed, the longest overdue first. */
export async function listOverdue(
  table: Table,
  indexName: string,
  now: Date,
  limit: number,
  from?: string,
): Promise<Page<{ id: string; deadline: string }>> {
  const query = {
    IndexName: indexName,
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
