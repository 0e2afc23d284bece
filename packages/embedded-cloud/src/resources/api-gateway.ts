import { textOf } from "../json.ts";
import { functionNameOf } from "../functions/function-emulator.ts";
import { stableUuid } from "../physical-names.ts";
import type { ResolvedResource, ResourceHandler } from "./resource-handler.ts";
import { unsupported } from "./resource-handler.ts";

/**
 * API Gateway's HTTP APIs (AWS::ApiGatewayV2::*), as far as one API with a `$default` route to one function needs them. Its address is the
 * attribute ApiEndpoint; the host name that AWS derives from the API's id does not exist here.
 */

const idOf = (logicalId: string, context: { stackName: string }): string =>
  stableUuid(`${context.stackName}/${logicalId}`).replaceAll("-", "").slice(0, 10);

/** AWS::ApiGatewayV2::Api of the protocol HTTP. */
export const httpApi: ResourceHandler = {
  properties: ["Name", "Description", "ProtocolType", "DisableExecuteApiEndpoint", "Version", "Tags"],
  identify: ({ logicalId }, context) => {
    const id = idOf(logicalId, context);
    return { ref: id, attributes: { ApiEndpoint: context.httpApiEndpoint, ApiId: id } };
  },
  check: ({ properties }) =>
    properties["ProtocolType"] === "HTTP" ? [] : [unsupported(`ProtocolType ${textOf(properties["ProtocolType"])}`)],
};

/** AWS::ApiGatewayV2::Integration with a function. */
export const httpApiIntegration: ResourceHandler = {
  properties: [
    "ApiId",
    "IntegrationType",
    "IntegrationUri",
    "IntegrationMethod",
    "PayloadFormatVersion",
    "TimeoutInMillis",
  ],
  identify: ({ logicalId }, context) => ({ ref: idOf(logicalId, context), attributes: {} }),
  check: ({ properties }) => [
    ...(properties["IntegrationType"] === "AWS_PROXY" ? [] : [unsupported("an IntegrationType other than AWS_PROXY")]),
    ...(properties["PayloadFormatVersion"] === "2.0" ? [] : [unsupported("a PayloadFormatVersion other than 2.0")]),
  ],
  deploy: ({ properties }, _identity, { httpApi: api }) =>
    api?.route(functionNameOf(textOf(properties["IntegrationUri"]))),
};

/** AWS::ApiGatewayV2::Route: a single one, for everything. */
export const httpApiRoute: ResourceHandler = {
  properties: ["ApiId", "RouteKey", "Target", "AuthorizationType"],
  identify: ({ logicalId }, context) => ({ ref: idOf(logicalId, context), attributes: {} }),
  check: ({ properties }) => [
    ...(properties["RouteKey"] === "$default" ? [] : [unsupported(`RouteKey ${textOf(properties["RouteKey"])}`)]),
    ...(["NONE", ""].includes(textOf(properties["AuthorizationType"])) ? [] : [unsupported("an authorizer")]),
  ],
};

/** AWS::ApiGatewayV2::Stage; its log is accepted without effect. */
export const httpApiStage: ResourceHandler = {
  properties: ["ApiId", "StageName", "AutoDeploy", "AccessLogSettings", "DefaultRouteSettings", "Description", "Tags"],
  identify: ({ properties }) => ({ ref: textOf(properties["StageName"]), attributes: {} }),
  check: ({ properties }) =>
    properties["StageName"] === "$default" ? [] : [unsupported(`StageName ${textOf(properties["StageName"])}`)],
};

/** Whether a resource is an HTTP API. */
export function isHttpApi({ type }: Pick<ResolvedResource, "type">): boolean {
  return type === "AWS::ApiGatewayV2::Api";
}
