import { describe, expect, it } from "vitest";
import { inlineTemplate } from "../../infra/inline-template.ts";

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
        "RecordsDeadLettersTable7B7C0786",
        "RecordsImageCacheTableA801D12E",
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
