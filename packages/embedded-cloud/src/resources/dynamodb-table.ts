import { arrayOrEmpty, objectOrEmpty, textOf } from "../json.ts";
import type { JsonObject } from "../json.ts";
import { arnOf, physicalName } from "../physical-names.ts";
import type { ResourceHandler } from "./resource-handler.ts";

/**
 * AWS::DynamoDB::Table. Keys and indexes are real; encryption, recovery, tags and time to live are accepted without effect: dynalite
 * never removes an expired item.
 */
export const dynamodbTable: ResourceHandler = {
  properties: [
    "TableName",
    "KeySchema",
    "AttributeDefinitions",
    "BillingMode",
    "ProvisionedThroughput",
    "OnDemandThroughput",
    "TableClass",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "SSESpecification",
    "PointInTimeRecoverySpecification",
    "TimeToLiveSpecification",
    "DeletionProtectionEnabled",
    "ContributorInsightsSpecification",
    "Tags",
  ],
  identify: ({ logicalId, properties }, context) => {
    const name = textOf(properties["TableName"], physicalName(context, logicalId, 255));
    return { ref: name, attributes: { Arn: arnOf(context, "dynamodb", `table/${name}`) } };
  },
  deploy: async ({ properties }, { ref }, { dynamodb }) => {
    const onDemand = properties["BillingMode"] === "PAY_PER_REQUEST";
    const indexes = arrayOrEmpty(properties["GlobalSecondaryIndexes"]).map((index) =>
      indexOf(objectOrEmpty(index), onDemand),
    );
    await dynamodb.ensureTable({
      TableName: ref,
      KeySchema: arrayOrEmpty(properties["KeySchema"]),
      AttributeDefinitions: arrayOrEmpty(properties["AttributeDefinitions"]),
      BillingMode: onDemand ? "PAY_PER_REQUEST" : "PROVISIONED",
      ...(onDemand ? {} : { ProvisionedThroughput: properties["ProvisionedThroughput"] ?? DEFAULT_THROUGHPUT }),
      ...(indexes.length > 0 ? { GlobalSecondaryIndexes: indexes } : {}),
      ...(properties["LocalSecondaryIndexes"] === undefined
        ? {}
        : { LocalSecondaryIndexes: properties["LocalSecondaryIndexes"] }),
    });
  },
};

const DEFAULT_THROUGHPUT = { ReadCapacityUnits: 5, WriteCapacityUnits: 5 };

function indexOf(index: JsonObject, onDemand: boolean): JsonObject {
  const { IndexName, KeySchema, Projection, ProvisionedThroughput } = index;
  return {
    IndexName,
    KeySchema,
    Projection,
    ...(onDemand ? {} : { ProvisionedThroughput: ProvisionedThroughput ?? DEFAULT_THROUGHPUT }),
  };
}
