import { RemovalPolicy } from "aws-cdk-lib";
import type { Node } from "constructs";
import * as v from "valibot";
import { InvalidInput } from "../core/errors.ts";
import { STACK_NAME } from "./stack-name.ts";
import { parseVolumeConsumers, type VolumeConsumers } from "./volume-consumers.ts";

/** Settings of a deployment that do not change the product's behavior: the place of volumes, retention, recipients of alarms. */
export type Deployment = {
  /** CloudFormation's name of the stack. */
  stackName: string;
  /** `efs` creates a file system and mounts it in the functions; `none` uses the backends' directories unchanged. */
  fileSystem: "efs" | "none";
  /** Whether records, images and volumes are kept when the stack is deleted. */
  removalPolicy: RemovalPolicy;
  /** One customer managed key for all stored data, instead of the services' keys. */
  customerManagedKey: boolean;
  /** IPv4 range of the network in which the file system is mounted. */
  vpcCidr: string;
  /** Hosts that may mount the file system in addition to the functions; undefined means none. */
  volumeConsumers: VolumeConsumers | undefined;
  /** `full` creates alarms on metric math, saved queries and the dashboard; `none` leaves them out, for emulators and small accounts. */
  observability: "full" | "none";
  /** Whether each definition is published as a version, and executions start through an alias. Some emulators know neither. */
  workflowVersions: boolean;
  /** Addresses that receive the alarms by mail. */
  alarmRecipients: readonly string[];
};

const FILE_SYSTEMS = ["efs", "none"] as const;
const REMOVAL_POLICIES = { retain: RemovalPolicy.RETAIN, destroy: RemovalPolicy.DESTROY } as const;

/** The CDK's default range of a network, which earlier releases of this stack used. */
const DEFAULT_VPC_CIDR = "10.0.0.0/16";

/** Two subnets of 256 addresses each need a /23; a VPC is a /16 at most. */
const VPC_MASKS = { widest: 16, narrowest: 23 } as const;

const Recipients = v.array(v.pipe(v.string(), v.email()));

/**
 * Reads the settings of a deployment from CDK context. Without any of them it has an EFS file system in 10.0.0.0/16, keeps its data when
 * the stack is deleted, uses the services' own keys, has all of its observability, and sends no mail.
 *
 * Throws: InvalidInput that names the key and its valid values.
 */
export function readDeployment(node: Node): Deployment {
  const fileSystem = oneOf(node, "fileSystem", FILE_SYSTEMS, "efs");
  const removal = oneOf(node, "removalPolicy", ["retain", "destroy"] as const, "retain");
  const flag = (name: string, fallback: "true" | "false"): boolean =>
    oneOf(node, name, ["true", "false"] as const, fallback) === "true";
  return {
    stackName: stackName(node),
    fileSystem,
    removalPolicy: REMOVAL_POLICIES[removal],
    customerManagedKey: flag("customerManagedKey", "false"),
    vpcCidr: vpcCidr(node),
    volumeConsumers: volumeConsumers(node, fileSystem),
    observability: oneOf(node, "observability", ["full", "none"] as const, "full"),
    workflowVersions: flag("workflowVersions", "true"),
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

function stackName(node: Node): string {
  const given: unknown = node.tryGetContext("stackName") ?? STACK_NAME;
  if (typeof given !== "string" || !/^[A-Za-z][A-Za-z0-9-]{0,127}$/.test(given)) {
    throw new InvalidInput(
      `context stackName must be letters, digits and hyphens after a first letter, not ${JSON.stringify(given)}`,
    );
  }
  return given;
}

function vpcCidr(node: Node): string {
  const given: unknown = node.tryGetContext("vpcCidr") ?? DEFAULT_VPC_CIDR;
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(String(given));
  const [first = 256, second = 256, third = 256, fourth = 256, mask = 0] = (match ?? []).slice(1).map(Number);
  const address = [first, second, third, fourth].reduce((number, byte) => number * 256 + byte, 0);
  const isRange =
    Math.max(first, second, third, fourth) < 256 &&
    mask >= VPC_MASKS.widest &&
    mask <= VPC_MASKS.narrowest &&
    address % 2 ** (32 - mask) === 0;
  const isPrivate = first === 10 || (first === 172 && second >= 16 && second < 32) || (first === 192 && second === 168);
  if (!isRange || !isPrivate) {
    throw new InvalidInput(
      `context vpcCidr must be a private IPv4 network with a mask from /16 to /23, such as 10.7.0.0/23, not ${JSON.stringify(given)}`,
    );
  }
  return String(given);
}

function volumeConsumers(node: Node, fileSystem: Deployment["fileSystem"]): VolumeConsumers | undefined {
  const consumers = parseVolumeConsumers(node.tryGetContext("volumeConsumers"));
  if (consumers !== undefined && fileSystem !== "efs") {
    throw new InvalidInput("context volumeConsumers needs the stack's file system: fileSystem must be efs, not none");
  }
  return consumers;
}

/** A list, or comma-separated addresses from the command line. */
function recipients(node: Node): string[] {
  const given: unknown = node.tryGetContext("alarmRecipients") ?? [];
  const list = typeof given === "string" ? given.split(",").map((address) => address.trim()) : given;
  const parsed = v.safeParse(Recipients, list);
  if (!parsed.success) {
    throw new InvalidInput(`context alarmRecipients must be mail addresses: ${parsed.issues[0].message}`);
  }
  return parsed.output;
}
