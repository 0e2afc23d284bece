import { PutItemCommand } from "@aws-sdk/client-dynamodb";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { resource } from "./fixtures.ts";
import type { CloudUnderTest } from "./fixtures.ts";

/** A table with this hash key and an index. */
export function table(hashKey: string): object {
  return {
    Type: "AWS::DynamoDB::Table",
    Properties: {
      KeySchema: [{ AttributeName: hashKey, KeyType: "HASH" }],
      AttributeDefinitions: [
        { AttributeName: hashKey, AttributeType: "S" },
        { AttributeName: "deadline", AttributeType: "S" },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: "by-deadline",
          KeySchema: [{ AttributeName: "deadline", KeyType: "HASH" }],
          Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["status"] },
        },
      ],
      BillingMode: "PAY_PER_REQUEST",
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      SSESpecification: { SSEEnabled: true },
    },
  };
}

/** One resource of every kind that keeps data. */
export const RESOURCES = {
  Volumes: table("id"),
  Jobs: { Type: "AWS::SQS::Queue", Properties: { VisibilityTimeout: 1 } },
  Topic: { Type: "AWS::SNS::Topic", Properties: {} },
  Subscription: {
    Type: "AWS::SNS::Subscription",
    Properties: {
      TopicArn: { Ref: "Topic" },
      Protocol: "sqs",
      Endpoint: { "Fn::GetAtt": ["Jobs", "Arn"] },
      RawMessageDelivery: true,
    },
  },
  Images: { Type: "AWS::S3::Bucket", Properties: {} },
};

/** Puts one item, message and object into them. */
export async function store({ cloud, dynamodb, sqs, s3 }: CloudUnderTest): Promise<void> {
  await dynamodb.send(
    new PutItemCommand({
      TableName: resource(cloud, "Volumes"),
      Item: { id: { S: "v1" }, deadline: { S: "soon" }, status: { S: "creating" }, size: { N: "1" } },
    }),
  );
  await sqs.send(new SendMessageCommand({ QueueUrl: resource(cloud, "Jobs"), MessageBody: "kept" }));
  await s3.send(new PutObjectCommand({ Bucket: resource(cloud, "Images"), Key: "a/b", Body: "bytes" }));
}
