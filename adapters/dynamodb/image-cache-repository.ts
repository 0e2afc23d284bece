import { DeleteItemCommand } from "@aws-sdk/client-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import type { FillLease, ImageCacheEntry, ImageCacheRepository, NewEntry } from "../../core/image-cache/image-cache.ts";
import type { Listed } from "../../core/ports.ts";
import type { WorkCheckpoint } from "../../core/spec.ts";
import { scanAll } from "./paging.ts";
import { listedOf, readerOf } from "./reading.ts";
import {
  find,
  isConditionFailure,
  statement,
  tryUpdate,
  type Statement,
  type Table,
  type TableOptions,
} from "./table.ts";

/** `last_used_at` is written at most this often: among uses of the same minute none is the least recent. */
const TOUCH_INTERVAL_MS = 60_000;

const FILLING = { ":filling": "filling" };
const COPYING = { ":copying": "copying" };
const AVAILABLE = { ":available": "available" };
const EVICTING = { ":evicting": "evicting" };

const BEGIN_FILL = statement(
  "SET #volume_id = :volume_id, #host = :host, #image_id = :image_id, #size = :size, #state = :filling, #fence = :fence, " +
    "#lease_until = :until, #created_at = :now, #last_used_at = :now REMOVE #checkpoint",
  "attribute_not_exists(#id) OR #state = :filling AND #lease_until < :now",
  FILLING,
);

const IS_MINE_AT_WORK = "#fence = :fence AND #state IN (:filling, :copying)";

const RENEW = statement("SET #lease_until = :until", IS_MINE_AT_WORK, { ...FILLING, ...COPYING });

const KEEP_CHECKPOINT = statement("SET #lease_until = :until, #checkpoint = :checkpoint", IS_MINE_AT_WORK, {
  ...FILLING,
  ...COPYING,
});

const BEGIN_COPY = statement("SET #state = :copying, #lease_until = :until", IS_MINE_AT_WORK, {
  ...FILLING,
  ...COPYING,
});

const COMPLETE = statement(
  "SET #state = :available, #last_used_at = :now REMOVE #lease_until, #checkpoint",
  "#fence = :fence AND #state IN (:copying, :available)",
  { ...COPYING, ...AVAILABLE },
);

const TOUCH = statement("SET #last_used_at = :now", "#state = :available AND #last_used_at < :before", AVAILABLE);

const BEGIN_EVICT = statement(
  "SET #state = :evicting REMOVE #lease_until, #checkpoint",
  "#state IN (:available, :evicting) OR #state = :copying AND #lease_until < :now",
  { ...AVAILABLE, ...EVICTING, ...COPYING },
);

const BEGIN_EVICT_MINE = statement(
  BEGIN_EVICT.update,
  "#fence = :fence AND #state IN (:copying, :available, :evicting)",
  { ...COPYING, ...AVAILABLE, ...EVICTING },
);

/** Entries of the image-volume cache in DynamoDB: an item each. */
export class DynamoDbImageCacheRepository implements ImageCacheRepository {
  readonly #table: Table;

  constructor({ client, tableName }: Omit<TableOptions, "clock">) {
    this.#table = { client, tableName, key: "id" };
  }

  async get(id: string): Promise<ImageCacheEntry | undefined> {
    const item = await find(this.#table, id);
    return item === undefined ? undefined : IMAGE_CACHE_ENTRIES.read(item);
  }

  async list(): Promise<Listed<ImageCacheEntry>> {
    const { records, unreadable } = IMAGE_CACHE_ENTRIES.readEach(await scanAll(this.#table));
    return listedOf(records, unreadable);
  }

  beginFill({ id, ...columns }: NewEntry, lease: FillLease): Promise<boolean> {
    const values = Object.fromEntries(Object.entries(columns).map(([column, value]) => [`:${column}`, value]));
    return this.#try(id, BEGIN_FILL, { ...values, ":now": lease.now.toISOString(), ...of(lease) });
  }

  renew(id: string, lease: FillLease, checkpoint?: WorkCheckpoint | null): Promise<boolean> {
    return checkpoint === undefined || checkpoint === null
      ? this.#try(id, RENEW, of(lease))
      : this.#try(id, KEEP_CHECKPOINT, { ...of(lease), ":checkpoint": checkpoint });
  }

  beginCopy(id: string, lease: FillLease): Promise<boolean> {
    return this.#try(id, BEGIN_COPY, of(lease));
  }

  complete(id: string, fence: string, now: Date): Promise<boolean> {
    return this.#try(id, COMPLETE, { ":fence": fence, ":now": now.toISOString() });
  }

  abandon(id: string, by: { fence: string } | { now: Date }): Promise<boolean> {
    return "fence" in by
      ? this.#remove(id, "#state = :state AND #fence = :by", { ":state": "filling", ":by": by.fence }, ["fence"])
      : this.#remove(
          id,
          "#state = :state AND #lease_until < :by",
          { ":state": "filling", ":by": by.now.toISOString() },
          ["lease_until"],
        );
  }

  touch(id: string, now: Date): Promise<boolean> {
    const before = new Date(now.getTime() - TOUCH_INTERVAL_MS).toISOString();
    return this.#try(id, TOUCH, { ":now": now.toISOString(), ":before": before });
  }

  beginEvict(id: string, { fence, now }: { fence: string | null; now: Date }): Promise<boolean> {
    return fence === null
      ? this.#try(id, BEGIN_EVICT, { ":now": now.toISOString() })
      : this.#try(id, BEGIN_EVICT_MINE, { ":fence": fence });
  }

  async finishEvict(id: string): Promise<void> {
    await this.#remove(id, "#state = :state", { ":state": "evicting" }, []);
  }

  async #try(id: string, prepared: Statement, values: Record<string, unknown>): Promise<boolean> {
    return (await tryUpdate(this.#table, id, prepared, { values })) !== undefined;
  }

  async #remove(
    id: string,
    condition: string,
    values: Record<string, unknown>,
    names: readonly string[],
  ): Promise<boolean> {
    const command = new DeleteItemCommand({
      TableName: this.#table.tableName,
      Key: { id: { S: id } },
      ConditionExpression: condition,
      ExpressionAttributeNames: Object.fromEntries(["state", ...names].map((name) => [`#${name}`, name])),
      ExpressionAttributeValues: marshall(values),
    });
    try {
      await this.#table.client.send(command);
      return true;
    } catch (error) {
      if (isConditionFailure(error)) {
        return false;
      }
      throw error;
    }
  }
}

function of({ fence, until }: FillLease): Record<string, unknown> {
  return { ":fence": fence, ":until": until.toISOString() };
}

/** A stored entry: what is null is absent. */
type StoredEntry = Omit<ImageCacheEntry, "lease_until" | "checkpoint"> &
  Partial<Pick<ImageCacheEntry, "lease_until" | "checkpoint">>;

/** Reads entries of the cache. */
export const IMAGE_CACHE_ENTRIES = readerOf<ImageCacheEntry>(
  "cached image",
  {
    id: "text!",
    volume_id: "text!",
    host: "text!",
    size: "number!",
    state: "text!",
    fence: "text",
    lease_until: "text",
  },
  shapeOf,
);

function shapeOf(stored: StoredEntry): ImageCacheEntry {
  return {
    id: stored.id,
    volume_id: stored.volume_id,
    host: stored.host,
    image_id: stored.image_id,
    size: stored.size,
    state: stored.state,
    fence: stored.fence,
    lease_until: stored.lease_until ?? null,
    checkpoint: stored.checkpoint ?? null,
    created_at: stored.created_at,
    last_used_at: stored.last_used_at,
  };
}
