import { describe, expect, it } from "vitest";
import { inlineTemplate } from "../../infra/inline-template.ts";
import { TABLES } from "../../simulation/dynamodb/tables.ts";

const DATA_TYPES = ["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::EFS::FileSystem", "AWS::KMS::Key"];

type Kept = { Type: string; DeletionPolicy?: string; UpdateReplacePolicy?: string };

function dataResources(context: Record<string, unknown>): Map<string, Kept> {
  const { Resources: resources } = inlineTemplate(context);
  return new Map(Object.entries(resources as Record<string, Kept>).filter(([, { Type }]) => DATA_TYPES.includes(Type)));
}

describe("what keeps data", () => {
  it("has the ids that it was deployed under: another id is an empty table", () => {
    expect([...dataResources({ customerManagedKey: "true" }).keys()].toSorted()).toMatchInlineSnapshot(`
      [
        "EncryptionKey1B843E66",
        "ImagesBucket1E86AFB2",
        "RecordsBackendsTable5F4F9C4B",
        "RecordsClaimsTable01E128FE",
        "RecordsDeadLettersTable7B7C0786",
        "RecordsImageCacheTableA801D12E",
        "RecordsLocksTable5425F56B",
        "RecordsProjectsTableCC066223",
        "RecordsSnapshotsTable4FC82172",
        "RecordsVolumeTypesTable8776872E",
        "RecordsVolumesTableB2D0EB62",
        "StorageFileSystemFFD87EE1",
      ]
    `);
  });

  it("stays when the stack goes, or when a change would replace it", () => {
    for (const [id, resource] of dataResources({ customerManagedKey: "true" })) {
      expect([id, resource.DeletionPolicy, resource.UpdateReplacePolicy]).toEqual([id, "Retain", "Retain"]);
    }
  });

  it("goes with a stack that is to be thrown away", () => {
    const resources = dataResources({ removalPolicy: "destroy" });
    expect(new Set([...resources.values()].map(({ Type }) => Type))).toEqual(
      new Set(["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::EFS::FileSystem"]),
    );
    for (const [id, resource] of resources) {
      expect([id, resource.DeletionPolicy]).toEqual([id, "Delete"]);
    }
  });
});

describe("the tables of the tests", () => {
  type Schema = { KeySchema: unknown; IndexName?: string; Projection?: { ProjectionType: string } };
  type Stored = Schema & { GlobalSecondaryIndexes?: Schema[]; LocalSecondaryIndexes?: Schema[] };
  const shapeOf = ({ KeySchema, GlobalSecondaryIndexes = [], LocalSecondaryIndexes = [] }: Stored) => ({
    KeySchema,
    indexes: [GlobalSecondaryIndexes, LocalSecondaryIndexes].map((indexes) =>
      indexes.map(({ IndexName, KeySchema: keys, Projection }) => ({ IndexName, keys, Projection })),
    ),
  });

  it("have the keys and indexes of the stack's", () => {
    const { Resources: resources } = inlineTemplate({});
    const deployed = new Map(
      Object.entries(resources as Record<string, { Type: string; Properties: Stored }>)
        .filter(([, { Type }]) => Type === "AWS::DynamoDB::Table")
        .map(([id, { Properties }]) => [id.replace(/^Records|Table\w{8}$/g, ""), shapeOf(Properties)]),
    );
    const camelCase = (name: string): string =>
      name.replaceAll(/(?:^|_)(\w)/g, (_all, first: string) => first.toUpperCase());
    const ours = new Map(TABLES.map((table) => [camelCase(table.TableName ?? ""), shapeOf(table as Stored)]));
    expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(deployed));
  });
});
