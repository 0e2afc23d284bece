import * as accepted from "./accepted.ts";
import * as apiGateway from "./api-gateway.ts";
import { dynamodbTable } from "./dynamodb-table.ts";
import { eventsRule } from "./events.ts";
import * as lambda from "./lambda.ts";
import { s3Bucket, snsSubscription, snsTopic, sqsQueue } from "./messaging.ts";
import type { ResourceHandler } from "./resource-handler.ts";
import {
  stepFunctionsStateMachine,
  stepFunctionsStateMachineAlias,
  stepFunctionsStateMachineVersion,
} from "./step-functions.ts";

/** Every resource type that the embedded cloud supports. A new one is a handler and a line here. */
export const RESOURCE_HANDLERS: Readonly<Record<string, ResourceHandler>> = {
  "AWS::ApiGatewayV2::Api": apiGateway.httpApi,
  "AWS::ApiGatewayV2::Integration": apiGateway.httpApiIntegration,
  "AWS::ApiGatewayV2::Route": apiGateway.httpApiRoute,
  "AWS::ApiGatewayV2::Stage": apiGateway.httpApiStage,
  "AWS::CDK::Metadata": accepted.cdkMetadata,
  "AWS::CloudWatch::Alarm": accepted.cloudWatchAlarm,
  "AWS::CloudWatch::Dashboard": accepted.cloudWatchDashboard,
  "AWS::DynamoDB::Table": dynamodbTable,
  "AWS::Events::Rule": eventsRule,
  "AWS::IAM::ManagedPolicy": accepted.iamManagedPolicy,
  "AWS::IAM::Policy": accepted.iamPolicy,
  "AWS::IAM::Role": accepted.iamRole,
  "AWS::KMS::Key": accepted.kmsKey,
  "AWS::Lambda::EventInvokeConfig": lambda.lambdaEventInvokeConfig,
  "AWS::Lambda::EventSourceMapping": lambda.lambdaEventSourceMapping,
  "AWS::Lambda::Function": lambda.lambdaFunction,
  "AWS::Lambda::Permission": accepted.lambdaPermission,
  "AWS::Logs::LogGroup": accepted.logGroup,
  "AWS::Logs::QueryDefinition": accepted.logQueryDefinition,
  "AWS::S3::Bucket": s3Bucket,
  "AWS::S3::BucketPolicy": accepted.s3BucketPolicy,
  "AWS::SNS::Subscription": snsSubscription,
  "AWS::SNS::Topic": snsTopic,
  "AWS::SNS::TopicPolicy": accepted.snsTopicPolicy,
  "AWS::SQS::Queue": sqsQueue,
  "AWS::SQS::QueuePolicy": accepted.sqsQueuePolicy,
  "AWS::StepFunctions::StateMachine": stepFunctionsStateMachine,
  "AWS::StepFunctions::StateMachineAlias": stepFunctionsStateMachineAlias,
  "AWS::StepFunctions::StateMachineVersion": stepFunctionsStateMachineVersion,
};
