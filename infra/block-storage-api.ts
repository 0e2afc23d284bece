import { Stack } from "aws-cdk-lib";
import { AccessLogFormat } from "aws-cdk-lib/aws-apigateway";
import { HttpApi, HttpStage, LogGroupLogDestination } from "aws-cdk-lib/aws-apigatewayv2";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { ApiOptions } from "../core/api/options.ts";
import { functionsOfKind } from "../core/settings/functions.ts";
import { acknowledge } from "./acknowledge.ts";
import type { Configuration } from "./configuration.ts";
import type { Functions } from "./functions.ts";
import type { DataProps } from "./records.ts";

/** Properties of the API construct. */
export type BlockStorageApiProps = DataProps & {
  functions: Functions;
  configuration: Configuration;
  options: ApiOptions;
};

/** Functions that the API starts asynchronously: those of requests that do not wait for an answer. */
const STARTED = functionsOfKind("call").filter((name) => name !== "CallDriver");

/**
 * Cinder's API v3 as an HTTP API with one route: the function has its own routes, because every answer has to be Cinder's, including those
 * for unknown paths and for callers without a token.
 */
export class BlockStorageApi extends Construct {
  /** Address of the API with its version, as clients are configured with it. */
  readonly url: string;

  constructor(scope: Construct, id: string, props: BlockStorageApiProps) {
    super(scope, id);
    const { functions, configuration, options, removalPolicy, encryptionKey } = props;
    const { imageServices } = configuration;
    const handler = functions.get("BlockStorageApi");
    const api = new HttpApi(this, "HttpApi", {
      apiName: `${Stack.of(this).stackName}-block-storage`,
      description: "OpenStack Block Storage API v3",
      createDefaultStage: false,
      defaultIntegration: new HttpLambdaIntegration("Function", handler),
    });
    const accessLog = new LogGroup(this, "AccessLog", {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy,
      ...(encryptionKey !== undefined && { encryptionKey }),
    });
    new HttpStage(this, "Stage", {
      httpApi: api,
      stageName: "$default",
      autoDeploy: true,
      accessLogSettings: {
        destination: new LogGroupLogDestination(accessLog),
        format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)),
      },
    });
    acknowledge(this, {
      "AwsSolutions-APIG4":
        "The function checks the token with Keystone: an authorizer of API Gateway cannot answer 401 as Keystone's clients read it",
      "Serverless-APIGWDefaultThrottling":
        "The account's own limits hold; a stage's limit would be shared by all projects",
    });
    functions.setEnvironment("BlockStorageApi", {
      // It asks Glance with its callers' tokens, and needs no secret.
      ...(imageServices.glance !== undefined && { imageServices: JSON.stringify(imageServices) }),
      blockStorageApi: Stack.of(this).toJsonString({
        options,
        service_down_seconds: configuration.scheduler.service_down_time,
        functions: Object.fromEntries(STARTED.map((name) => [name, functions.get(name).functionName])),
      }),
    });
    functions.allow(
      "BlockStorageApi",
      ["lambda:InvokeFunction"],
      ...STARTED.map((name) => functions.get(name).functionArn),
    );
    this.url = `${api.apiEndpoint}/v3`;
  }
}

/** One line a request. It contains neither a token nor the query, which may name objects of a project. */
const ACCESS_LOG = {
  requestId: "$context.requestId",
  ip: "$context.identity.sourceIp",
  time: "$context.requestTime",
  method: "$context.httpMethod",
  path: "$context.path",
  status: "$context.status",
  bytes: "$context.responseLength",
  milliseconds: "$context.responseLatency",
};
