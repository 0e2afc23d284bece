// @ts-nocheck
import { RemovalPolicy } from "aws-cdk-lib";
import type { Node } from "constructs";
import * as v from "valibot";
import { InvalidInput } from "../core/errors.ts";

/** What a deployment may choose beside what the product does: where volumes are, what stays, who is told. */
export type Deployment = {
  /** `efs` makes a file system and mounts it in the functions; `none` leaves the directories of the backends as they are. */
  fileSystem: "efs" | "none";
  /** What becomes of records, images and volumes when the stack is deleted. */
  removalPolicy: RemovalPolicy;
  /** One key of the customer's own for everything that is stored, instead of the services' keys. */
  customerManagedKey: boolean;
  /** Addresses that get the alarms by mail. */
  alarmRecipients: readonly string[];
};

const FILE_SYSTEMS = ["efs", "none"] as const;
const REMOVAL_POLICIES = { retain: RemovalPolicy.RETAIN, destroy: RemovalPolicy.DESTROY } as const;

const Recipients = v.array(v.pipe(v.string(), v.email()));

/**
 * Reads `fileSystem`, `removalPolicy`, `customerManagedKey` and `alarmRecipients` from CDK context. Without any of them a
 * deployment has an EFS file system, keeps its data when the stack goes, uses the services' own keys, and mails nobody.
 *
 * @throws InvalidInput that names the key and what it may be
 */
export function readDeployment(node: Node): Deployment {
  const fileSystem = oneOf(node, "fileSystem", FILE_SYSTEMS, "efs");
  const removal = oneOf(node, "removalPolicy", ["retain", "destroy"] as const, "retain");
  const key = oneOf(node, "customerManagedKey", ["true", "false"] as const, "false");
  return {
    fileSystem,
    removalPolicy: REMOVAL_POLICIES[removal],
    customerManagedKey: key === "true",
    alarmRecipients: recipients(node),
  };
}

function oneOf<Value extends string>(node: Node, key: string, values: readonly Value[], fallback: Value): Value {
  const given: unknown = node.tryGetContext(key) ?? fallback;
  const found = values.find((value) => value === String(given));
  if (found === undefined) {
    throw new InvalidInput(`context ${key} must be ${values.join(" or ")}, not ${JSON.stringify(given)}`);
  }
  return found;
}

/** A list, or addresses with commas between them, as the command line gives them. */
function recipients(node: Node): string[] {
  const given: unknown = node.tryGetContext("alarmRecipients") ?? [];
  const list = typeof given === "string" ? given.split(",").map((address) => address.trim()) : given;
  const parsed = v.safeParse(Recipients, list);
  if (!parsed.success) {
    throw new InvalidInput(`context alarmRecipients must be mail addresses: ${parsed.issues[0].message}`);
  }
  return parsed.output;
}
