import { ArnFormat, type RemovalPolicy, Stack } from "aws-cdk-lib";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import type { Construct } from "constructs";

/**
 * One customer managed key for tables, queues, topics, images, volumes, logs and execution histories. EventBridge, CloudWatch and CloudWatch
 * Logs write to encrypted resources as themselves, so the key's policy allows them.
 */
export function customerKey(scope: Construct, removalPolicy: RemovalPolicy): Key {
  const key = new Key(scope, "EncryptionKey", {
    description: "Data of Cinderless",
    enableKeyRotation: true,
    removalPolicy,
  });
  key.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal("events.amazonaws.com"), new ServicePrincipal("cloudwatch.amazonaws.com")],
      actions: ["kms:Decrypt", "kms:GenerateDataKey"],
      resources: ["*"],
      // Only for this account's resources; not all of their calls name the account.
      conditions: { StringEqualsIfExists: { "aws:SourceAccount": Stack.of(scope).account } },
    }),
  );
  const { region, urlSuffix } = Stack.of(scope);
  const logGroups = Stack.of(scope).formatArn({
    service: "logs",
    resource: "log-group",
    resourceName: "*",
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  // See https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
  key.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal(`logs.${region}.${urlSuffix}`)],
      actions: ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
      resources: ["*"],
      conditions: { ArnLike: { "kms:EncryptionContext:aws:logs:arn": logGroups } },
    }),
  );
  return key;
}
