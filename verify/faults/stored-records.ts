import {
  BatchGetItemCommand,
  GetItemCommand,
  ScanCommand,
  type BatchGetItemCommandOutput,
  type GetItemCommandOutput,
  type ScanCommandOutput,
} from "@aws-sdk/client-dynamodb";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { type DynamoDb, type Item, toItem } from "../../adapters/dynamodb/table.ts";
import type { Clock, Listed } from "../../core/ports.ts";
import type { BackendRecord } from "../../core/records.ts";
import { BackendsFake } from "../../test/support/fakes/backends.ts";

/**
 * Records in memory of which some cannot be read. While there is one, the product's own repositories read: from the items of a table, so
 * that a bad item among good ones costs what it costs the product.
 */

/** A number that JavaScript does not have. */
const UNREADABLE_NUMBER = { N: "9007199254740993.5" };

/** Backends of which those in `unreadable` cannot be read. */
export class StoredBackends extends BackendsFake {
  readonly unreadable = new Set<string>();
  readonly #repository: DynamoDbBackendRepository;

  constructor(clock: Clock) {
    super(clock);
    const items = () =>
      [...this.records.values()].map((record) =>
        spoiled(toItem(record), this.unreadable.has(record.host), "reserved_percentage"),
      );
    this.#repository = new DynamoDbBackendRepository({
      client: tableOf("host", items),
      tableName: "backends",
      claimsTableName: "claims",
      clock,
    });
  }

  override async list(): Promise<Listed<BackendRecord>> {
    return this.unreadable.size === 0 ? super.list() : this.#repository.list();
  }

  override async get(host: string): Promise<BackendRecord | undefined> {
    return this.unreadable.has(host) ? this.#repository.get(host) : super.get(host);
  }
}

function spoiled(item: Item, isUnreadable: boolean, column: string): Item {
  return isUnreadable ? { ...item, [column]: UNREADABLE_NUMBER } : item;
}

type Output = Partial<BatchGetItemCommandOutput & GetItemCommandOutput & ScanCommandOutput>;

/** The reads of DynamoDB, as far as the repositories make them: an item by its key, many by their keys, and a scan in pages. */
function tableOf(key: "id" | "host", items: () => Item[]): DynamoDb {
  const keyOf = (item: Item | undefined): string => item?.[key]?.S ?? "";
  const answer = (command: unknown): Output => {
    if (command instanceof GetItemCommand) {
      const found = items().find((item) => keyOf(item) === keyOf(command.input.Key));
      return found === undefined ? {} : { Item: found };
    }
    if (command instanceof BatchGetItemCommand) {
      const [[tableName, request] = ["", undefined]] = Object.entries(command.input.RequestItems ?? {});
      const asked = new Set((request?.Keys ?? []).map(keyOf));
      return { Responses: { [tableName]: items().filter((item) => asked.has(keyOf(item))) } };
    }
    if (command instanceof ScanCommand) {
      const all = items();
      const { ExclusiveStartKey: after, Limit: limit = all.length } = command.input;
      const start = all.findIndex((item) => keyOf(item) === keyOf(after)) + 1;
      const page = all.slice(start, start + limit);
      const isLast = start + limit >= all.length;
      return { Items: page, ...(!isLast && { LastEvaluatedKey: { [key]: { S: keyOf(page.at(-1)) } } }) };
    }
    throw new Error("a table of the fault matrix is only read");
  };
  return { send: (async (command: unknown) => answer(command)) as DynamoDb["send"] };
}
