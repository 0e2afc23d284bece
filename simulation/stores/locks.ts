import { DynamoDbLockRepository, lockItem, lockOf } from "../../adapters/dynamodb/lock-repository.ts";
import type { Lock, LockedSource } from "../../core/ports.ts";
import { InMemoryDynamoDb } from "../dynamodb/in-memory-dynamodb.ts";
import { TABLES } from "../dynamodb/tables.ts";

/** Locks on sources in memory. */
export class LocksFake extends DynamoDbLockRepository {
  readonly #store: InMemoryDynamoDb;

  constructor(store = new InMemoryDynamoDb(TABLES)) {
    super({ client: store.client, tableName: "locks" });
    this.#store = store;
  }

  /** Every lock, without a call of the repository. */
  get all(): (Lock & { source: LockedSource })[] {
    return [...this.#store.table("locks").items.values()].map(lockOf);
  }

  /** A source's locks, values by holder; the last one of each holder. */
  on(id: string): Record<string, string> {
    const own = this.all.filter(({ source }) => source.id === id);
    return Object.fromEntries(own.map(({ holder, value }) => [holder, value]));
  }

  /** Puts locks without a call of the repository: values by holder. */
  arrange(source: LockedSource, locks: Readonly<Record<string, string>>): void {
    for (const [holder, value] of Object.entries(locks)) {
      const item = lockItem(source, { holder, value });
      this.#store.table("locks").put(JSON.stringify([item["source"]?.S, item["lock"]?.S]), item);
    }
  }
}
