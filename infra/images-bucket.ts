import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { BlockPublicAccess, Bucket, BucketEncryption } from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import type { DataProps } from "./records.ts";

/** The bucket that serves as an image service: an object for each image, and `ID.json` next to it. */
export function imagesBucket(scope: Construct, { removalPolicy, encryptionKey }: DataProps): Bucket {
  const bucket = new Bucket(scope, "ImagesBucket", {
    ...(encryptionKey === undefined
      ? { encryption: BucketEncryption.S3_MANAGED }
      : { encryption: BucketEncryption.KMS, encryptionKey, bucketKeyEnabled: true }),
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    enforceSSL: true,
    removalPolicy: removalPolicy === RemovalPolicy.DESTROY ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    lifecycleRules: [{ abortIncompleteMultipartUploadAfter: Duration.days(1) }],
  });
  acknowledge(bucket, {
    "AwsSolutions-S1":
      "Only the functions read images, and their logs name image and volume; access logs would need a bucket with" +
      " its own access logs",
  });
  return bucket;
}
