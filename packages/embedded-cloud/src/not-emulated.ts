import type { ApiRequest, ApiResponse } from "./compute-server.ts";

/**
 * The answer to a request for a service that the embedded cloud does not have. AWS_ENDPOINT_URL sends every such request here instead of to
 * AWS. The answer is an error in the request's own protocol, so that every SDK and the AWS CLI show its text.
 */
export function notEmulated({ method, path, query, headers, body }: ApiRequest): ApiResponse {
  const service = serviceOf(headers.authorization, query);
  const operation = operationOf(headers["x-amz-target"], query, body) ?? `${method} ${path}`;
  const message = `${service ?? "This service"} is not emulated here (${operation}): the embedded cloud has DynamoDB, SQS, SNS, S3, Step Functions, Lambda and DescribeAlarms of CloudWatch. Nothing was sent to AWS.`;
  const isQuery =
    (headers["content-type"] ?? "").startsWith("application/x-www-form-urlencoded") || query.has("Action");
  if (isQuery) return { status: 400, body: service === "ec2" ? ec2Error(message) : queryError(message), headers: XML };
  if (service !== undefined && REST_XML_SERVICES.has(service))
    return { status: 400, body: queryError(message), headers: XML };
  return {
    status: 400,
    body: JSON.stringify({ __type: CODE, code: CODE, message, Message: message }),
    headers: { "x-amzn-ErrorType": CODE },
  };
}

const CODE = "NotEmulated";
const XML = { "Content-Type": "text/xml" };
const REQUEST_ID = "00000000-0000-0000-0000-000000000000";

/** Services of the REST protocol whose errors are XML, by their signing names. */
const REST_XML_SERVICES: ReadonlySet<string> = new Set(["cloudfront", "route53", "s3", "s3express"]);

/** The service that a request is signed for: `Credential=key/date/region/service/aws4_request`. */
function serviceOf(authorization: string | undefined, query: URLSearchParams): string | undefined {
  const scope = /Credential=([^,\s]+)/.exec(authorization ?? "")?.[1] ?? query.get("X-Amz-Credential") ?? "";
  const service = scope.split("/").at(-2);
  return service !== undefined && /^[a-z0-9-]+$/.test(service) ? service : undefined;
}

function operationOf(target: string | string[] | undefined, query: URLSearchParams, body: string): string | undefined {
  const named = typeof target === "string" ? target : (query.get("Action") ?? /(?:^|&)Action=(\w+)/.exec(body)?.[1]);
  return named !== undefined && /^[\w.-]+$/.test(named) ? named : undefined;
}

function queryError(message: string): string {
  const error = `<Error><Type>Sender</Type><Code>${CODE}</Code><Message>${escaped(message)}</Message></Error>`;
  return `<ErrorResponse>${error}<RequestId>${REQUEST_ID}</RequestId></ErrorResponse>`;
}

function ec2Error(message: string): string {
  const error = `<Error><Code>${CODE}</Code><Message>${escaped(message)}</Message></Error>`;
  return `<Response><Errors>${error}</Errors><RequestID>${REQUEST_ID}</RequestID></Response>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
