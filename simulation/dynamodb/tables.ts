import type { CreateTableCommandInput } from "@aws-sdk/client-dynamodb";
import { INDEXES } from "../../core/settings/environment.ts";

const string = (name: string) => ({ AttributeName: name, AttributeType: "S" }) as const;
const hash = (name: string) => ({ AttributeName: name, KeyType: "HASH" }) as const;
const range = (name: string) => ({ AttributeName: name, KeyType: "RANGE" }) as const;

/** The product's tables, named by their kinds. `test/infra` compares them with the stack's. */
export const TABLES: CreateTableCommandInput[] = [
  {
    TableName: "volumes",
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [string("id"), string("in_flow"), string("deadline")],
    KeySchema: [hash("id")],
    GlobalSecondaryIndexes: [
      {
        IndexName: INDEXES.volumesByDeadline,
        KeySchema: [hash("in_flow"), range("deadline")],
        Projection: { ProjectionType: "KEYS_ONLY" },
      },
    ],
  },
  {
    TableName: "snapshots",
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [string("id"), string("volume_id"), string("in_flow"), string("deadline")],
    KeySchema: [hash("id")],
    GlobalSecondaryIndexes: [
      { IndexName: INDEXES.snapshotsByVolume, KeySchema: [hash("volume_id")], Projection: { ProjectionType: "ALL" } },
      {
        IndexName: INDEXES.snapshotsByDeadline,
        KeySchema: [hash("in_flow"), range("deadline")],
        Projection: { ProjectionType: "KEYS_ONLY" },
      },
    ],
  },
  {
    TableName: "volume_types",
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [string("id"), string("name")],
    KeySchema: [hash("id")],
    GlobalSecondaryIndexes: [
      { IndexName: INDEXES.volumeTypesByName, KeySchema: [hash("name")], Projection: { ProjectionType: "ALL" } },
    ],
  },
  {
    TableName: "backends",
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [string("host")],
    KeySchema: [hash("host")],
  },
  {
    TableName: "claims",
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [string("host"), string("claim"), string("open_since")],
    KeySchema: [hash("host"), range("claim")],
    LocalSecondaryIndexes: [
      {
        IndexName: INDEXES.openClaims,
        KeySchema: [hash("host"), range("open_since")],
        Projection: { ProjectionType: "ALL" },
      },
    ],
  },
  {
    TableName: "locks",
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [string("source"), string("lock")],
    KeySchema: [hash("source"), range("lock")],
  },
  {
    TableName: "image_cache",
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [string("id")],
    KeySchema: [hash("id")],
  },
  {
    TableName: "projects",
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [string("project_id"), string("entry"), string("display_name")],
    KeySchema: [hash("project_id"), range("entry")],
    LocalSecondaryIndexes: [
      {
        IndexName: INDEXES.projectEntriesByName,
        KeySchema: [hash("project_id"), range("display_name")],
        Projection: { ProjectionType: "KEYS_ONLY" },
      },
    ],
  },
  {
    TableName: "dead_letters",
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [string("id")],
    KeySchema: [hash("id")],
  },
];
