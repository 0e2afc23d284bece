import { createRequire } from "node:module";
import path from "node:path";
import { GetItemCommand, PutItemCommand, QueryCommand } from "@aws-sdk/client-dynamodb";
import { expect, it } from "vitest";
import { deploy, resource, temporaryDirectory } from "../support/fixtures.ts";
import type { CloudUnderTest } from "../support/fixtures.ts";
import { table } from "../support/stored-data.ts";

type Level = {
  open(): Promise<void>;
  keys(): AsyncIterable<string>;
  put(key: string, value: unknown): Promise<void>;
  del(key: string): Promise<void>;
  close(): Promise<void>;
};

const RESOURCES = { Volumes: table("id") };

/** Opens the store behind dynalite's back, as a kill between its two writes would have left it. */
async function tamper(dataDirectory: string, change: (store: Level, keys: string[]) => Promise<void>): Promise<void> {
  const { Level } = createRequire(import.meta.resolve("dynalite"))("level") as {
    Level: new (directory: string, options: object) => Level;
  };
  const store = new Level(path.join(dataDirectory, "dynamodb"), { valueEncoding: "json" });
  await store.open();
  const keys: string[] = [];
  for await (const key of store.keys()) {
    keys.push(key);
  }
  await change(store, keys);
  await store.close();
}

async function put({ cloud, dynamodb }: CloudUnderTest, id: string, deadline: string): Promise<void> {
  const Item = { id: { S: id }, deadline: { S: deadline }, status: { S: "creating" } };
  await dynamodb.send(new PutItemCommand({ TableName: resource(cloud, "Volumes"), Item }));
}

async function idsDue({ cloud, dynamodb }: CloudUnderTest, deadline: string): Promise<string[]> {
  const { Items = [] } = await dynamodb.send(
    new QueryCommand({
      TableName: resource(cloud, "Volumes"),
      IndexName: "by-deadline",
      KeyConditionExpression: "deadline = :at",
      ExpressionAttributeValues: { ":at": { S: deadline } },
    }),
  );
  return Items.map(({ id }) => id?.S ?? "").toSorted((one, other) => one.localeCompare(other));
}

it("an item that a kill left without its index entry is found by the index again", async () => {
  using directory = temporaryDirectory();
  {
    await using under = await deploy(RESOURCES, { dataDirectory: directory.path });
    await put(under, "v1", "soon");
    await put(under, "v2", "soon");
  }
  await tamper(directory.path, async (store, keys) => {
    const entry = keys.find((key) => key.startsWith("index-global~")) ?? "";
    await store.del(entry);
  });
  await using again = await deploy(RESOURCES, { dataDirectory: directory.path });
  expect(await idsDue(again, "soon")).toEqual(["v1", "v2"]);
});

it("an entry that a kill left without its item is gone", async () => {
  using directory = temporaryDirectory();
  {
    await using under = await deploy(RESOURCES, { dataDirectory: directory.path });
    await put(under, "v1", "soon");
  }
  await tamper(directory.path, async (store, keys) => {
    const entry = keys.find((key) => key.startsWith("index-global~")) ?? "";
    const phantom = { id: { S: "ghost" }, deadline: { S: "soon" }, status: { S: "creating" } };
    await store.put(`${entry}x`, phantom);
  });
  await using again = await deploy(RESOURCES, { dataDirectory: directory.path });
  expect(await idsDue(again, "soon")).toEqual(["v1"]);
  const Key = { id: { S: "v1" } };
  const { Item } = await again.dynamodb.send(new GetItemCommand({ TableName: resource(again.cloud, "Volumes"), Key }));
  expect(Item).toMatchObject({ deadline: { S: "soon" } });
});

it("more entries than one write takes are all kept", async () => {
  using directory = temporaryDirectory();
  {
    await using under = await deploy(RESOURCES, { dataDirectory: directory.path });
    for (let lane = 0; lane < 1100; lane += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, index) => put(under, `v${lane + index}`, "soon")));
    }
  }
  await using again = await deploy(RESOURCES, { dataDirectory: directory.path });
  expect(await idsDue(again, "soon")).toHaveLength(1100);
});
