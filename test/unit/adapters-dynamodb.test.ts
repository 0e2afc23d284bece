import {
  BatchGetItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  UpdateItemCommand,
  type AttributeValue,
} from "@aws-sdk/client-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import { mockClient } from "aws-sdk-client-mock";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { DynamoDbProjectRepository } from "../../adapters/dynamodb/project-repository.ts";
import { statement } from "../../adapters/dynamodb/table.ts";
import { volumeItem } from "../../adapters/dynamodb/volume-item.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { FenceLost, VolumeNotFound } from "../../core/errors.ts";
import { LARGEST_RECORD_BYTES } from "../../core/requests/byte-budget.ts";
import { ownerOf, queuedVolume, runningAttempt } from "../support/records.ts";

const client = new DynamoDBClient({ region: "us-east-1" });
const dynamodb = mockClient(client);
const clock = { now: () => new Date("2026-01-01T01:00:00.000Z") };
const volumes = new DynamoDbVolumeRepository({ client, tableName: "volumes", clock });
const backends = new DynamoDbBackendRepository({ client, tableName: "backends", claimsTableName: "claims", clock });

const volume = queuedVolume();
const owner = ownerOf(volume.id);
const DEADLINE = new Date("2026-01-01T02:00:00.000Z");

/** An error as the SDK throws it. */
function sdkError(name: string, message = "no"): Error {
  return Object.assign(new Error(message), { name });
}

const conditionFailed = sdkError("ConditionalCheckFailedException", "The conditional request failed");

beforeEach(() => {
  dynamodb.reset();
});

describe("a statement", () => {
  test("names the attributes of its expressions, each once", () => {
    expect(statement("SET #a = :a, #b_c.#a = :x", "#d < :d", { ":a": 1 })).toEqual({
      update: "SET #a = :a, #b_c.#a = :x",
      condition: "#d < :d",
      names: { "#a": "a", "#b_c": "b_c", "#d": "d" },
      constants: { ":a": { N: "1" } },
    });
  });
});

describe("a volume's item", () => {
  test("leaves out what is null and is in the index with its deadline", () => {
    const item = volumeItem(volume);
    expect(item).not.toHaveProperty("host");
    expect(item).toMatchObject({ in_flow: { S: "y" }, deadline: { S: volume.deadline }, metadata: { M: {} } });
  });

  test("is not in the index without a deadline", () => {
    expect(volumeItem({ ...volume, deadline: null })).not.toHaveProperty("in_flow");
  });
});

describe("a transition", () => {
  test("is conditional on the fence, on the ownership of the flow and on its statuses", async () => {
    dynamodb.on(UpdateItemCommand).resolves({ Attributes: volumeItem(volume) });
    await volumes.beginCreate(owner, DEADLINE);
    expect(dynamodb.commandCalls(UpdateItemCommand)[0]?.args[0].input).toMatchObject({
      Key: { id: { S: volume.id } },
      ConditionExpression:
        "#fence = :fence AND attribute_exists(#in_flow) AND attribute_not_exists(#delete_requested_at) " +
        "AND #status IN (:creating, :downloading, :migration_target_creating)",
      ExpressionAttributeValues: { ":fence": { S: owner.fence }, ":now": { S: "2026-01-01T01:00:00.000Z" } },
      ReturnValues: "ALL_NEW",
    });
  });

  test("asks for no item when its caller gets none", async () => {
    dynamodb.on(UpdateItemCommand).resolves({});
    await volumes.markBootable(owner, {});
    expect(dynamodb.commandCalls(UpdateItemCommand)[0]?.args[0].input.ReturnValues).toBe("NONE");
  });

  test("whose condition failed reads the record consistently before it is refused", async () => {
    dynamodb.on(UpdateItemCommand).rejects(conditionFailed);
    dynamodb.on(GetItemCommand).resolves({ Item: volumeItem({ ...volume, fence: "other" }) });
    await expect(volumes.beginCreate(owner, DEADLINE)).rejects.toThrow(
      new FenceLost(volume.id, owner.fence, "it is creating and belongs to other"),
    );
    expect(dynamodb.commandCalls(GetItemCommand)[0]?.args[0].input.ConsistentRead).toBe(true);
  });

  test("whose condition failed is not refused as missing unless the record is", async () => {
    dynamodb.on(UpdateItemCommand).rejects(conditionFailed);
    dynamodb.on(GetItemCommand).resolves({});
    await expect(volumes.beginCreate(owner, DEADLINE)).rejects.toThrow(VolumeNotFound);
  });

  for (const name of [
    "ProvisionedThroughputExceededException",
    "TimeoutError",
    "ResourceNotFoundException",
    "ValidationException",
  ]) {
    test(`that ends in ${name} keeps that name and reads nothing back`, async () => {
      dynamodb.on(UpdateItemCommand).rejects(sdkError(name));
      await expect(
        volumes.markError(owner, { error: "e", cause: "c", attempt: 1, at: "t", attempts: [] }),
      ).rejects.toMatchObject({ name });
      expect(dynamodb.calls()).toHaveLength(1);
    });
  }

  test("makes the ledger only when the path to it is missing, and tries once more", async () => {
    const missingPath = sdkError(
      "ValidationException",
      "The document path provided in the update expression is invalid for update",
    );
    dynamodb
      .on(UpdateItemCommand)
      .rejectsOnce(missingPath)
      .resolvesOnce({})
      .rejectsOnce(conditionFailed)
      .rejects(missingPath);
    await expect(volumes.assignHost(owner, "h", "nova", runningAttempt(owner, "h"), DEADLINE)).rejects.toThrow(
      missingPath,
    );
    expect(dynamodb.commandCalls(UpdateItemCommand)).toHaveLength(4);
  });

  test("keeps of a model update only what the record knows", async () => {
    dynamodb.on(UpdateItemCommand).resolves({});
    const update = { provider_location: "x", fence: "mine", status: "available" };
    await volumes.persistModelUpdate(owner, update, "created");
    const { UpdateExpression, ExpressionAttributeValues } =
      dynamodb.commandCalls(UpdateItemCommand)[0]?.args[0].input ?? {};
    expect(UpdateExpression).toBe("SET #phase = :phase, #provider_location = :provider_location, #updated_at = :now");
    expect(ExpressionAttributeValues?.[":fence"]).toEqual({ S: owner.fence });
  });

  test("that was lost after it was made succeeds for its owner", async () => {
    const available = {
      ...volume,
      fence: owner.fence,
      status: "available",
      launched_at: "2026-01-01T01:00:00.000Z",
    } as const;
    dynamodb.on(UpdateItemCommand).rejects(conditionFailed);
    dynamodb.on(GetItemCommand).resolves({ Item: volumeItem(available) });
    expect(await volumes.markAvailable(owner, "available", DEADLINE, {})).toEqual(available);
  });
});

describe("a transition of a record that is full", () => {
  const tooLarge = sdkError("ValidationException", "Item size to update has exceeded the maximum allowed size");
  const full = queuedVolume({ metadata: { filler: "x".repeat(LARGEST_RECORD_BYTES - 1000) } });
  const request = () => volumes.requestDelete(full.id, DEADLINE);

  beforeEach(() => {
    dynamodb.on(GetItemCommand).resolves({ Item: volumeItem(full) });
  });

  test("removes what may go, and comes again", async () => {
    const requested = { ...full, delete_requested_at: clock.now().toISOString() };
    dynamodb
      .on(UpdateItemCommand)
      .rejectsOnce(tooLarge)
      .resolvesOnce({})
      .resolvesOnce({ Attributes: volumeItem(requested) });
    await request();
    const [first, cut, again] = dynamodb.commandCalls(UpdateItemCommand).map(({ args }) => args[0].input);
    expect(cut?.UpdateExpression).toMatch(/REMOVE /);
    expect(again).toEqual(first);
  });

  test("keeps the store's error when it must fit and does not, so that it is tried later", async () => {
    dynamodb.on(UpdateItemCommand).rejectsOnce(tooLarge).resolvesOnce({}).rejects(tooLarge);
    await expect(request()).rejects.toMatchObject({ name: "ValidationException" });
  });

  test("keeps another error of its second try", async () => {
    dynamodb.on(UpdateItemCommand).rejectsOnce(tooLarge).resolvesOnce({}).rejects(sdkError("TimeoutError"));
    await expect(request()).rejects.toMatchObject({ name: "TimeoutError" });
  });

  test("of an attempt keeps another error of its second try, too", async () => {
    const lines = Array.from({ length: 9 }, (_, index) => [index + 1, runningAttempt(ownerOf(full.id), "h")] as const);
    dynamodb.on(GetItemCommand).resolves({ Item: volumeItem({ ...full, attempts: Object.fromEntries(lines) }) });
    dynamodb.on(UpdateItemCommand).rejectsOnce(tooLarge).resolvesOnce({}).rejects(sdkError("TimeoutError"));
    const by = ownerOf(full.id, 10);
    await expect(volumes.assignHost(by, "h", "nova", runningAttempt(by, "h"), DEADLINE)).rejects.toMatchObject({
      name: "TimeoutError",
    });
  });
});

describe("a put", () => {
  test("that ends in an error of the SDK keeps its name", async () => {
    dynamodb.on(PutItemCommand).rejects(sdkError("InternalServerError"));
    await expect(volumes.create(volume)).rejects.toMatchObject({ name: "InternalServerError" });
  });
});

describe("getMany", () => {
  test("asks again for the keys that were left unread", async () => {
    vi.useFakeTimers();
    try {
      const other = queuedVolume();
      const unread = { volumes: { Keys: [{ id: { S: other.id } }], ConsistentRead: true } };
      dynamodb
        .on(BatchGetItemCommand)
        .resolvesOnce({ Responses: { volumes: [volumeItem(volume)] }, UnprocessedKeys: unread })
        .resolvesOnce({ UnprocessedKeys: unread })
        .resolves({ Responses: { volumes: [volumeItem(other)] } });
      const reading = volumes.getMany([volume.id, other.id]);
      await vi.runAllTimersAsync();
      expect([...(await reading).keys()]).toEqual([volume.id, other.id]);
      expect(dynamodb.commandCalls(BatchGetItemCommand)[2]?.args[0].input.RequestItems).toEqual(unread);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("list", () => {
  const item = (id: string): Record<string, AttributeValue> => volumeItem(queuedVolume({ id }));

  test("reads on until the page is full, and ends it at its last item", async () => {
    dynamodb
      .on(ScanCommand)
      .resolvesOnce({ Items: [], LastEvaluatedKey: { id: { S: "x" } } })
      .resolvesOnce({ Items: [item("a"), item("b"), item("c")], LastEvaluatedKey: { id: { S: "y" } } })
      .resolves({ Items: [] });
    const page = await volumes.list({ status: "creating" }, 2);
    expect(page.items.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(dynamodb.commandCalls(ScanCommand)[1]?.args[0].input.ExclusiveStartKey).toEqual({ id: { S: "x" } });
    await volumes.list({ status: "creating" }, 2, page.next);
    expect(dynamodb.commandCalls(ScanCommand)[2]?.args[0].input.ExclusiveStartKey).toEqual({ id: { S: "b" } });
  });

  test("names no next page at the table's end", async () => {
    dynamodb.on(ScanCommand).resolves({ Items: [item("a")] });
    expect(await volumes.list({}, 1)).not.toHaveProperty("next");
  });
});

describe("backends", () => {
  test("are read over all pages, consistently", async () => {
    const stored = (host: string) => marshall({ host, availability_zone: "nova", driver: "file", reported_at: "2026" });
    dynamodb
      .on(ScanCommand)
      .resolvesOnce({ Items: [stored("b")], LastEvaluatedKey: { host: { S: "b" } } })
      .resolvesOnce({ Items: [stored("a")] });
    expect((await backends.list()).map(({ host }) => host)).toEqual(["a", "b"]);
    expect(dynamodb.commandCalls(ScanCommand)[1]?.args[0].input).toMatchObject({
      ConsistentRead: true,
      ExclusiveStartKey: { host: { S: "b" } },
    });
  });

  test("keep the name of the SDK's error, so that a claim does not look refused", async () => {
    dynamodb.on(UpdateItemCommand).rejects(sdkError("TimeoutError"));
    dynamodb
      .on(ScanCommand)
      .resolves({ Items: [marshall({ host: "h", availability_zone: "nova", driver: "file", reported_at: "2026" })] });
    const [backend] = await backends.list();
    expect.assert(backend !== undefined);
    const limits = { maxProvisionedCapacityGb: null, minFreeCapacityGb: null };
    await expect(backends.claim(backend, owner, 1, limits)).rejects.toMatchObject({ name: "TimeoutError" });
  });
});

test("a name that is longer than a key may be is searched for without a request", async () => {
  const projects = new DynamoDbProjectRepository({ client, tableName: "projects", clock });
  expect(await projects.list("project", "volume", { limit: 1, name: "\u540d".repeat(400) })).toEqual([]);
  expect(dynamodb.calls()).toHaveLength(0);
});
