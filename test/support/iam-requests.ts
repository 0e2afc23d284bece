import type { Call } from "../../bench/tally.ts";
import { requestAttributes, type WriteInput } from "../../scripts/permissions/request-attributes.ts";
import type { IamRequest } from "./iam.ts";

type DynamoDbInput = WriteInput & {
  TableName?: string;
  IndexName?: string;
  ReturnValues?: string;
  RequestItems?: Record<string, { Keys: Record<string, unknown>[] }>;
};

const WRITES = new Set(["PutItem", "UpdateItem", "DeleteItem"]);

/** The table's partition keys by the name that they have in all of them. */
const PARTITION_KEYS = ["id", "host"];

/** The IAM request of a call, in a template's terms. @param resources what `Ref` gives, by logical id */
export function iamRequests(call: Call, resources: Readonly<Record<string, string>>): IamRequest[] {
  const logicalId = (name: string): string =>
    Object.keys(resources).find((id) => resources[id] === name || resources[id]?.endsWith(`/${name}`)) ?? name;
  switch (call.service) {
    case "dynamodb":
      return dynamoDbRequests(call.action, JSON.parse(call.body.toString()) as DynamoDbInput, logicalId);
    case "sqs": {
      const { QueueUrl = "" } = JSON.parse(call.body.toString()) as { QueueUrl?: string };
      return [plain(`sqs:${call.action}`, logicalId(QueueUrl.slice(QueueUrl.lastIndexOf("/") + 1)))];
    }
    case "sns": {
      const topic = new URLSearchParams(call.body.toString()).get("TopicArn") ?? "";
      return [plain(`sns:${call.action}`, logicalId(topic))];
    }
    case "sfn": {
      const { stateMachineArn = "", executionArn } = JSON.parse(call.body.toString()) as Record<string, string>;
      if (executionArn !== undefined) {
        return [plain(`states:${call.action}`, executionArn)];
      }
      const [, machine = "", qualifier] = /^(.*:stateMachine:[^:]+)(?::(.+))?$/.exec(stateMachineArn) ?? [];
      // Authorised for the machine, whatever alias or version the call names.
      return [
        {
          action: `states:${call.action}`,
          resource: logicalId(machine),
          context: qualifier === undefined ? {} : { "states:StateMachineQualifier": [qualifier] },
        },
      ];
    }
    case "s3": {
      const [, bucket = "", ...key] = (call.path.split("?")[0] ?? "").split("/");
      const object = key.join("/");
      const id = logicalId(bucket);
      return [object === "" ? plain("s3:ListBucket", id) : plain(s3Action(call), `${id}/${object}`)];
    }
    case "lambda": {
      const [, name = ""] = /\/functions\/([^/]+)\/invocations/.exec(call.path) ?? [];
      return [plain("lambda:InvokeFunction", logicalId(decodeURIComponent(name)))];
    }
    default:
      return call.service satisfies never;
  }
}

/** S3 knows no right of its own for HEAD, nor for the steps of an upload in parts. */
function s3Action({ action: method, path }: Call): string {
  if (method === "DELETE") {
    return path.includes("uploadId=") ? "s3:AbortMultipartUpload" : "s3:DeleteObject";
  }
  return method === "GET" || method === "HEAD" ? "s3:GetObject" : "s3:PutObject";
}

function plain(action: string, resource: string): IamRequest {
  return { action, resource, context: {} };
}

function dynamoDbRequests(action: string, input: DynamoDbInput, logicalId: (name: string) => string): IamRequest[] {
  const name = `dynamodb:${action}`;
  if (input.RequestItems !== undefined) {
    return Object.entries(input.RequestItems).map(([table, { Keys }]) => ({
      action: name,
      resource: logicalId(table),
      context: { "dynamodb:LeadingKeys": Keys.flatMap(leadingKeys) },
    }));
  }
  const keys = leadingKeys(input.Key ?? input.Item ?? {});
  const context = {
    ...(WRITES.has(action) && { "dynamodb:Attributes": requestAttributes(input) }),
    ...(keys.length > 0 && { "dynamodb:LeadingKeys": keys }),
    ...(input.ReturnValues !== undefined && { "dynamodb:ReturnValues": [input.ReturnValues] }),
  };
  const table = logicalId(input.TableName ?? "");
  return [
    { action: name, resource: input.IndexName === undefined ? table : `${table}/index/${input.IndexName}`, context },
  ];
}

function leadingKeys(attributes: Readonly<Record<string, unknown>>): string[] {
  return PARTITION_KEYS.flatMap((key) => (attributes[key] as { S?: string } | undefined)?.S ?? []).slice(0, 1);
}
