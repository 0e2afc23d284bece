import { isDeepStrictEqual } from "node:util";
import { DeleteItemCommand } from "@aws-sdk/client-dynamodb";
import { INDEXES } from "../../core/settings/environment.ts";
import { InvalidInput, VolumeTypeNotFound, VolumeTypeNotFoundByName } from "../../core/errors.ts";
import type { Found, Page, VolumeTypeChange, VolumeTypeRepository } from "../../core/ports.ts";
import type { VolumeTypeRecord } from "../../core/records.ts";
import { getItems } from "./batch.ts";
import { changeItem } from "./details.ts";
import { queryPage, scanPage } from "./paging.ts";
import { foundOf, pageOf, readerOf } from "./reading.ts";
import { find, toItem, tryCreate, type Table, type TableOptions } from "./table.ts";

/** Longest partition key of a table or an index (DynamoDB quotas). */
const LARGEST_KEY_BYTES = 2048;

/** Volume types in DynamoDB. */
export class DynamoDbVolumeTypeRepository implements VolumeTypeRepository {
  readonly #table: Table;

  constructor({ client, tableName }: Omit<TableOptions, "clock">) {
    this.#table = { client, tableName, key: "id" };
  }

  async get(volumeTypeId: string): Promise<VolumeTypeRecord> {
    const item = await find(this.#table, volumeTypeId);
    if (item === undefined) {
      throw new VolumeTypeNotFound(volumeTypeId);
    }
    return VOLUME_TYPES.read(item);
  }

  async getMany(volumeTypeIds: readonly string[]): Promise<Found<VolumeTypeRecord>> {
    return foundOf(VOLUME_TYPES.readEach(await getItems(this.#table, volumeTypeIds)));
  }

  /** Reads an index: a type of the last moments may be missing. */
  async getByName(name: string): Promise<VolumeTypeRecord> {
    // DynamoDB refuses such a key.
    if (name === "" || Buffer.byteLength(name) > LARGEST_KEY_BYTES) {
      throw new VolumeTypeNotFoundByName(name);
    }
    const query = {
      IndexName: INDEXES.volumeTypesByName,
      KeyConditionExpression: "#name = :name",
      ExpressionAttributeNames: { "#name": "name" },
      ExpressionAttributeValues: { ":name": { S: name } },
      keyAttributes: ["id", "name"],
    };
    const [item] = (await queryPage(this.#table, query, 1)).items;
    if (item === undefined) {
      throw new VolumeTypeNotFoundByName(name);
    }
    return VOLUME_TYPES.read(item);
  }

  async list(limit: number, from?: string): Promise<Page<VolumeTypeRecord>> {
    return pageOf(await scanPage(this.#table, limit, from), VOLUME_TYPES);
  }

  /**
   * Also succeeds when an equal type exists, so a put whose answer was lost may be repeated.
   *
   * @throws InvalidInput when the id is taken.
   */
  async create(record: VolumeTypeRecord): Promise<void> {
    if (await tryCreate(this.#table, toItem(record))) {
      return;
    }
    if (!isDeepStrictEqual(await this.get(record.id), record)) {
      throw new InvalidInput(`volume type ${record.id} exists already`);
    }
  }

  async change(volumeTypeId: string, change: VolumeTypeChange): Promise<VolumeTypeRecord> {
    const { name, description, isPublic, extraSpecs = {}, access, encryption } = change;
    const columns = {
      ...(name !== undefined && { name }),
      ...(description !== undefined && { description }),
      ...(isPublic !== undefined && { is_public: isPublic }),
      ...(encryption !== undefined && { encryption }),
    };
    const map =
      access === undefined ? { column: "extra_specs", change: extraSpecs } : { column: "access", change: access };
    const item = await changeItem(this.#table, volumeTypeId, columns, map);
    return item === undefined ? this.get(volumeTypeId) : VOLUME_TYPES.read(item);
  }

  async delete(volumeTypeId: string): Promise<void> {
    await this.#table.client.send(
      new DeleteItemCommand({ TableName: this.#table.tableName, Key: { id: { S: volumeTypeId } } }),
    );
  }
}

/** A stored volume type: what is null is absent. */
type StoredVolumeType = Pick<VolumeTypeRecord, "id" | "name"> & Partial<VolumeTypeRecord>;

/** Reads volume types. */
export const VOLUME_TYPES = readerOf<VolumeTypeRecord>(
  "volume type",
  { id: "text!", name: "text!", extra_specs: "map", description: "text", encryption: "map" },
  shapeOf,
);

function shapeOf(stored: StoredVolumeType): VolumeTypeRecord {
  return {
    id: stored.id,
    name: stored.name,
    extra_specs: stored.extra_specs ?? {},
    description: stored.description ?? null,
    is_public: stored.is_public ?? true,
    created_at: stored.created_at ?? "",
    ...(stored.access !== undefined && { access: stored.access }),
    ...(stored.encryption !== undefined && { encryption: stored.encryption }),
  };
}
