import { readEntry } from "../../adapters/dynamodb/project-lists.ts";
import { QUOTA, readQuota } from "../../adapters/dynamodb/project-quotas.ts";
import { DynamoDbProjectRepository } from "../../adapters/dynamodb/project-repository.ts";
import type { Clock } from "../../core/ports.ts";
import type { ListEntry, ProjectQuota } from "../../core/projects.ts";
import { InMemoryDynamoDb, type MemoryTable } from "../dynamodb/in-memory-dynamodb.ts";
import { TABLES } from "../dynamodb/tables.ts";

/** Lists, quotas and names of projects in memory. */
export class ProjectsFake extends DynamoDbProjectRepository {
  readonly #items: MemoryTable["items"];

  constructor(clock: Clock, store = new InMemoryDynamoDb(TABLES)) {
    super({ client: store.client, tableName: "projects", clock });
    this.#items = store.table("projects").items;
  }

  /** The entries of all lists. */
  get entries(): ListEntry[] {
    return [...this.#items.values()].filter((item) => item["entry"]?.S?.includes("#")).map(readEntry);
  }

  /** Usage and limits by project. */
  get quotas(): ReadonlyMap<string, ProjectQuota> {
    const items = [...this.#items.values()].filter((item) => item["entry"]?.S === QUOTA);
    return new Map(items.map((item) => [item["project_id"]?.S ?? "", readQuota(item)]));
  }
}
