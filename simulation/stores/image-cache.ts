import { DynamoDbImageCacheRepository, IMAGE_CACHE_ENTRIES } from "../../adapters/dynamodb/image-cache-repository.ts";
import { toItem } from "../../adapters/dynamodb/table.ts";
import type { FillLease, ImageCacheEntry, NewEntry } from "../../core/image-cache/image-cache.ts";
import { InMemoryDynamoDb } from "../dynamodb/in-memory-dynamodb.ts";
import { RecordsView } from "../dynamodb/records-view.ts";
import { TABLES } from "../dynamodb/tables.ts";

/** Entries of the image-volume cache in memory. */
export class ImageCacheFake extends DynamoDbImageCacheRepository {
  readonly records: RecordsView<ImageCacheEntry>;

  /** Image by cached volume, of all that ever were. */
  readonly imageOf = new Map<string, string>();

  constructor(store = new InMemoryDynamoDb(TABLES)) {
    super({ client: store.client, tableName: "image_cache" });
    this.records = new RecordsView(store.table("image_cache"), { toItem, read: IMAGE_CACHE_ENTRIES.read });
  }

  /** Puts an entry that is filled. */
  addAvailable({ at, ...entry }: NewEntry & { at: string }): void {
    this.imageOf.set(entry.volume_id, entry.image_id);
    const times = { created_at: at, last_used_at: at, lease_until: null };
    this.records.set(entry.id, { ...entry, ...times, state: "available", fence: "earlier-a1", checkpoint: null });
  }

  override async beginFill(entry: NewEntry, lease: FillLease): Promise<boolean> {
    const isBegun = await super.beginFill(entry, lease);
    if (isBegun) {
      this.imageOf.set(entry.volume_id, entry.image_id);
    }
    return isBegun;
  }
}
