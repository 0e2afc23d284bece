import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { ListedKind, ListEntry, ListOptions, ListPosition } from "../../core/projects.ts";
import { INDEXES } from "../../core/settings/environment.ts";
import { statement, toItem, type Item } from "./table.ts";

/** The entries of a project's lists: their keys, their updates and their queries. */

function sortKeyOf({ kind, createdAt, id }: ListPosition): string {
  return `${kind}#${createdAt}#${id}`;
}

export function keyAttributes(position: ListPosition): { project_id: string; entry: string } {
  return { project_id: position.projectId, entry: sortKeyOf(position) };
}

export function entryKey(position: ListPosition): Item {
  return toItem(keyAttributes(position));
}

/** An empty text cannot be the key of an index. */
export function isName(name: string | null): name is string {
  return name !== null && name !== "";
}

function setName(name: string | null): string {
  return isName(name)
    ? "SET #renamed_at = :now, #display_name = :display_name"
    : "SET #renamed_at = :now REMOVE #display_name";
}

export function renameStatement(name: string | null) {
  return statement(setName(name), "attribute_exists(#entry)");
}

/** @param wasRenamed whether the entry, as it was read, had been renamed before */
export function correctNameStatement(name: string | null, wasRenamed: boolean) {
  const unchanged = wasRenamed ? "#renamed_at = :read" : "attribute_not_exists(#renamed_at)";
  return statement(setName(name), `attribute_exists(#entry) AND ${unchanged}`);
}

export function inOrder(projectId: string, kind: ListedKind) {
  return {
    KeyConditionExpression: "#project_id = :project_id AND begins_with(#entry, :prefix)",
    ExpressionAttributeNames: { "#project_id": "project_id", "#entry": "entry" },
    ExpressionAttributeValues: { ":project_id": { S: projectId }, ":prefix": { S: `${kind}#` } },
    ScanIndexForward: false,
  };
}

export function byName(projectId: string, name: string) {
  return {
    IndexName: INDEXES.projectEntriesByName,
    KeyConditionExpression: "#project_id = :project_id AND #display_name = :display_name",
    ExpressionAttributeNames: { "#project_id": "project_id", "#display_name": "display_name" },
    ExpressionAttributeValues: { ":project_id": { S: projectId }, ":display_name": { S: name } },
  };
}

/** The index has entries of one name in no order. */
export function pageByName(
  entries: readonly ListEntry[],
  kind: ListedKind,
  { limit, after }: ListOptions,
): ListEntry[] {
  const start = after === undefined ? undefined : sortKeyOf(after);
  return entries
    .filter((entry) => entry.kind === kind && (start === undefined || sortKeyOf(entry) < start))
    .toSorted((one, other) => (sortKeyOf(one) > sortKeyOf(other) ? -1 : 1))
    .slice(0, limit);
}

/** The entry of a list that an item holds. */
export function readEntry(item: Item): ListEntry {
  const {
    entry,
    project_id: projectId,
    display_name: name,
    renamed_at: renamedAt,
  } = unmarshall(item) as {
    entry: string;
    project_id: string;
    display_name?: string;
    renamed_at?: string;
  };
  const [kind = "", createdAt = "", id = ""] = entry.split("#");
  const position = { kind: kind as ListedKind, createdAt, id, projectId };
  return { ...position, name: name ?? null, ...(renamedAt !== undefined && { renamedAt }) };
}
