import { randomUUID } from "node:crypto";
import { DeleteItemCommand, type DeleteItemCommandInput, PutItemCommand } from "@aws-sdk/client-dynamodb";
import type { Lock, LockedSource, LockRepository, Page } from "../../core/ports.ts";
import { SNAPSHOT_LOCK } from "../../core/records.ts";
import { queryPage, scanPage } from "./paging.ts";
import { isConditionFailure, toItem, tryCreate, type Item, type Table, type TableOptions } from "./table.ts";

/** The kinds of holders, with which the sort key begins. */
const CREATE = "volume";
const SNAPSHOT = "snapshot";

const KEY_ATTRIBUTES = ["source", "lock"];

/**
 * The table of locks: an item for each, which has its key and the mark of the call that has put it last. Partition key `source`
 * (`volume#ID` or `snapshot#ID`), sort key `lock` (`volume#HOLDER#FENCE` for a create, `snapshot#HOLDER#snapshot` for a snapshot). So no
 * write can replace another lock, each may be repeated, and none grows with the number of locks (docs/adr/0029).
 */
export class DynamoDbLockRepository implements LockRepository {
  readonly #table: Table;

  constructor({ client, tableName }: Omit<TableOptions, "clock">) {
    this.#table = { client, tableName, key: "source", sortKey: "lock" };
  }

  async put(source: LockedSource, lock: Lock): Promise<string | undefined> {
    const { client, tableName: TableName } = this.#table;
    const mark = randomUUID();
    const Item = { ...lockItem(source, lock), mark: { S: mark } };
    if (await tryCreate(this.#table, Item)) {
      return mark;
    }
    await client.send(new PutItemCommand({ TableName, Item }));
    return undefined;
  }

  async withdraw(source: LockedSource, lock: Lock, mark: string): Promise<void> {
    const condition = { ConditionExpression: "mark = :mark", ExpressionAttributeValues: { ":mark": { S: mark } } };
    try {
      await this.#delete(source, lock, condition);
    } catch (error) {
      if (!isConditionFailure(error)) {
        throw error;
      }
    }
  }

  async remove(source: LockedSource, holder: string, values: readonly string[]): Promise<void> {
    for (const value of values) {
      await this.#delete(source, { holder, value });
    }
  }

  async #delete(source: LockedSource, lock: Lock, condition: Partial<DeleteItemCommandInput> = {}): Promise<void> {
    const { client, tableName: TableName } = this.#table;
    await client.send(new DeleteItemCommand({ TableName, Key: lockItem(source, lock), ...condition }));
  }

  async of(source: LockedSource, creates: boolean, limit: number, from?: string): Promise<Page<Lock>> {
    const query = {
      KeyConditionExpression: "#source = :source AND #lock > :after",
      ExpressionAttributeNames: { "#source": "source", "#lock": "lock" },
      ExpressionAttributeValues: { ":source": { S: keyOf(source) }, ":after": { S: creates ? CREATE : " " } },
      ConsistentRead: true,
      // Backwards the creates come before the snapshots.
      ScanIndexForward: false,
      keyAttributes: KEY_ATTRIBUTES,
    };
    const page = await queryPage(this.#table, query, limit, from);
    return { ...page, items: page.items.map(lockOf) };
  }

  async list(limit: number, from?: string): Promise<Page<Lock & { source: LockedSource }>> {
    const page = await scanPage(this.#table, limit, from);
    return { ...page, items: page.items.map(lockOf) };
  }
}

/** The key of a lock. */
export function lockItem(source: LockedSource, { holder, value }: Lock): Item {
  const kind = value === SNAPSHOT_LOCK ? SNAPSHOT : CREATE;
  return toItem({ source: keyOf(source), lock: `${kind}#${holder}#${value}` });
}

function keyOf({ what, id }: LockedSource): string {
  return `${what}#${id}`;
}

/** The lock that an item stands for. */
export function lockOf(item: Item): Lock & { source: LockedSource } {
  const [what = "", id = ""] = (item["source"]?.S ?? "").split("#");
  const [, holder = "", value = ""] = (item["lock"]?.S ?? "").split("#");
  return { source: { what: what as LockedSource["what"], id }, holder, value };
}
