// @ts-nocheck
import { type RemovalPolicy, Stack } from "aws-cdk-lib";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import type { Construct } from "constructs";

/**
 * One key of the customer's own for tables, queues, topic, images and volumes. EventBridge and CloudWatch write to encrypted
 * queues and topics in their own names, so the key says that they may.
 */
export function customerKey(scope: Construct, removalPolicy: RemovalPolicy): Key {
  const key = new Key(scope, "EncryptionKey", {
    description: "What Cinderless stores",
    enableKeyRotation: true,
    removalPolicy,
  });
  key.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal("events.amazonaws.com"), new ServicePrincipal("cloudwatch.amazonaws.com")],
      actions: ["kms:Decrypt", "kms:GenerateDataKey"],
      resources: ["*"],
      // For what is this account's own; not every call of theirs says whose it is.
      conditions: { StringEqualsIfExists: { "aws:SourceAccount": Stack.of(scope).account } },
    }),
  );
  return key;
}
