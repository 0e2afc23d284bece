import { textOf } from "../json.ts";
import { arnOf, physicalName, stableUuid, ACCOUNT_ID } from "../physical-names.ts";
import type { IdentityContext, ResolvedResource, ResourceHandler } from "./resource-handler.ts";
import type { AlarmProperties } from "../monitoring/alarms.ts";
import type { ResourceIdentity } from "../intrinsics.ts";

/** Types that are accepted without effect: permissions are not enforced, nothing is encrypted, no metric is stored. */

type Identify = (resource: ResolvedResource, context: IdentityContext) => ResourceIdentity;

function named(nameProperty: string, arnParts?: { service: string; resource: (name: string) => string }): Identify {
  return ({ logicalId, properties }, context) => {
    const name = textOf(properties[nameProperty], physicalName(context, logicalId, 128));
    return {
      ref: name,
      attributes: arnParts ? { Arn: arnOf(context, arnParts.service, arnParts.resource(name)) } : {},
    };
  };
}

export const iamRole: ResourceHandler = {
  properties: [
    "RoleName",
    "AssumeRolePolicyDocument",
    "ManagedPolicyArns",
    "Policies",
    "Path",
    "Description",
    "MaxSessionDuration",
    "PermissionsBoundary",
    "Tags",
  ],
  identify: ({ logicalId, properties }, context) => {
    const name = textOf(properties["RoleName"], physicalName(context, logicalId, 64));
    const id = `AROA${stableUuid(name).replaceAll("-", "").slice(0, 17).toUpperCase()}`;
    return {
      ref: name,
      attributes: { Arn: `arn:aws:iam::${ACCOUNT_ID}:role/${name}`, RoleId: id },
    };
  },
};

export const iamPolicy: ResourceHandler = {
  properties: ["PolicyName", "PolicyDocument", "Roles", "Users", "Groups"],
  identify: named("PolicyName"),
};

export const iamManagedPolicy: ResourceHandler = {
  properties: ["ManagedPolicyName", "PolicyDocument", "Roles", "Users", "Groups", "Path", "Description"],
  identify: ({ logicalId, properties }, context) => {
    const name = textOf(properties["ManagedPolicyName"], physicalName(context, logicalId, 128));
    const arn = `arn:aws:iam::${ACCOUNT_ID}:policy/${name}`;
    return { ref: arn, attributes: { PolicyArn: arn } };
  },
};

export const logGroup: ResourceHandler = {
  properties: [
    "LogGroupName",
    "RetentionInDays",
    "KmsKeyId",
    "LogGroupClass",
    "DataProtectionPolicy",
    "FieldIndexPolicies",
    "Tags",
  ],
  identify: named("LogGroupName", { service: "logs", resource: (name) => `log-group:${name}:*` }),
};

export const logQueryDefinition: ResourceHandler = {
  properties: ["Name", "QueryString", "LogGroupNames", "QueryLanguage", "Parameters"],
  identify: named("QueryDefinitionId"),
};

/** AWS::CloudWatch::Alarm. One that is not evaluated here stays in INSUFFICIENT_DATA. Nothing is published to its actions. */
export const cloudWatchAlarm: ResourceHandler = {
  properties: [
    "AlarmName",
    "AlarmDescription",
    "AlarmActions",
    "OKActions",
    "InsufficientDataActions",
    "ActionsEnabled",
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "MetricName",
    "Metrics",
    "Namespace",
    "Period",
    "Statistic",
    "Threshold",
    "ThresholdMetricId",
    "TreatMissingData",
    "Unit",
    "Tags",
  ],
  identify: named("AlarmName", { service: "cloudwatch", resource: (name) => `alarm:${name}` }),
  deploy: ({ properties }, { ref, attributes }, { monitoring }) =>
    monitoring.addAlarm(ref, attributes["Arn"] ?? "", properties as unknown as AlarmProperties),
};

export const cloudWatchDashboard: ResourceHandler = {
  properties: ["DashboardName", "DashboardBody"],
  identify: named("DashboardName"),
};

export const kmsKey: ResourceHandler = {
  properties: [
    "KeyPolicy",
    "EnableKeyRotation",
    "RotationPeriodInDays",
    "Enabled",
    "Description",
    "KeySpec",
    "KeyUsage",
    "MultiRegion",
    "PendingWindowInDays",
    "Origin",
    "BypassPolicyLockoutSafetyCheck",
    "Tags",
  ],
  identify: ({ logicalId }, context) => {
    const id = stableUuid(`${context.stackName}/${logicalId}`);
    return { ref: id, attributes: { Arn: arnOf(context, "kms", `key/${id}`), KeyId: id } };
  },
};

export const lambdaPermission: ResourceHandler = {
  properties: [
    "Action",
    "FunctionName",
    "Principal",
    "SourceArn",
    "SourceAccount",
    "EventSourceToken",
    "PrincipalOrgID",
    "FunctionUrlAuthType",
  ],
  identify: named("Id"),
};

export const sqsQueuePolicy: ResourceHandler = {
  properties: ["Queues", "PolicyDocument"],
  identify: named("Id"),
};
export const snsTopicPolicy: ResourceHandler = {
  properties: ["Topics", "PolicyDocument"],
  identify: named("Id"),
};
export const s3BucketPolicy: ResourceHandler = {
  properties: ["Bucket", "PolicyDocument"],
  identify: named("Id"),
};
export const cdkMetadata: ResourceHandler = { properties: ["Analytics"], identify: named("Id") };
