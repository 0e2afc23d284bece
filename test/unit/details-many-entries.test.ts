import { beforeEach, expect, it } from "vitest";
import { DynamoDbProjectRepository } from "../../adapters/dynamodb/project-repository.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { InMemoryDynamoDb } from "../../simulation/dynamodb/in-memory-dynamodb.ts";
import { TABLES } from "../../simulation/dynamodb/tables.ts";
import { queuedVolume } from "../support/records.ts";

/** DynamoDB takes expressions of 4 KiB, and an update of a map names each entry that it changes. */

const clock = { now: () => new Date("2026-01-01T01:00:00.000Z") };
let store: InMemoryDynamoDb;
let volumes: DynamoDbVolumeRepository;

beforeEach(() => {
  store = new InMemoryDynamoDb(TABLES);
  volumes = new DynamoDbVolumeRepository({ client: store.client, tableName: "volumes", clock });
});

function entries(prefix: string, count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, String(index)]));
}

it("a volume's 300 properties are replaced by 300 others, together with its name", async () => {
  const record = queuedVolume({ metadata: { ...entries("old", 300), kept: "1" } });
  await volumes.create(record);
  const change = {
    displayName: "new",
    metadata: { set: entries("new", 300), unset: Object.keys(entries("old", 300)) },
  };
  const changed = await volumes.changeDetails(record.id, change);
  expect(changed).toMatchObject({ display_name: "new", metadata: { ...entries("new", 300), kept: "1" } });
  expect(Object.keys(changed.metadata)).toHaveLength(301);
  expect(await volumes.get(record.id)).toEqual(changed);
});

it("a volume's image gets 300 properties", async () => {
  const record = queuedVolume();
  await volumes.create(record);
  const changed = await volumes.changeDetails(record.id, { glanceMetadata: { set: entries("property", 300) } });
  expect(changed.glance_metadata).toEqual(entries("property", 300));
});

it("a change of 300 properties of a volume that does not exist is VolumeNotFound, and makes none", async () => {
  const { id } = queuedVolume();
  const change = { metadata: { set: entries("new", 300) } };
  await expect(volumes.changeDetails(id, change)).rejects.toMatchObject({ name: "VolumeNotFound" });
  expect(store.table("volumes").items.size).toBe(0);
});

it("a project gets limits for 300 volume types, and loses them", async () => {
  const projects = new DynamoDbProjectRepository({ client: store.client, tableName: "projects", clock });
  const limits = Object.fromEntries(Object.keys(entries("volumes_type", 300)).map((name) => [name, 5]));
  expect((await projects.setLimits("a-project", limits)).limits).toEqual(limits);
  const none = Object.fromEntries(Object.keys(limits).map((name) => [name, null]));
  expect((await projects.setLimits("a-project", none)).limits).toEqual({});
});

it("the usage of 300 volume types is corrected, and sums of types that nothing uses go", async () => {
  const projects = new DynamoDbProjectRepository({ client: store.client, tableName: "projects", clock });
  const usage = Object.fromEntries(Object.keys(entries("volumes_type", 300)).map((name) => [name, 5]));
  for (const [resource, amount] of Object.entries(usage)) {
    await projects.reserve({
      projectId: "a-project",
      holder: resource,
      usage: { [resource]: amount },
      limits: {},
    });
    await projects.confirm("a-project", resource);
  }
  const [read] = await projects.listQuotas();
  const right = {
    ...Object.fromEntries(
      Object.keys(usage)
        .slice(100)
        .map((name) => [name, 7]),
    ),
    other: 1,
  };
  expect(
    await projects.correctUsage("a-project", read?.quota ?? { used: {}, limits: {}, moving: {}, returns: 0 }, right),
  ).toBe(true);
  expect((await projects.quota("a-project")).used).toEqual(right);
});
