import { Stack } from "aws-cdk-lib";
import { type IPeer, Peer, Port, type SecurityGroup } from "aws-cdk-lib/aws-ec2";
import type { FileSystem } from "aws-cdk-lib/aws-efs";
import { AnyPrincipal, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import * as v from "valibot";
import type { ExportedFileSystem } from "../core/backends/backends.ts";
import { InvalidInput } from "../core/errors.ts";
import { parseOrThrow } from "../core/requests/parsing.ts";
import { MOUNT_POINT } from "./mount-point.ts";

/** Hosts that may mount the volumes in addition to the functions, by their security groups or their addresses. */
export type VolumeConsumers = { securityGroups: readonly string[]; cidrs: readonly string[] };

const MOST_PEERS = 20;

/** IPv4 only, like the network. A range of all addresses would let every host that reaches the network mount. */
const cidr = v.pipe(
  v.string("cidrs must be strings"),
  v.check((text) => isRange(text), "cidrs must be IPv4 ranges with a mask from /8 to /32, such as 10.20.0.0/16"),
);

const VolumeConsumersSchema = v.pipe(
  v.strictObject({
    securityGroups: v.optional(
      v.array(
        v.pipe(v.string(), v.regex(/^sg-[0-9a-f]{8,17}$/, "securityGroups must be ids such as sg-0123456789abcdef0")),
      ),
      [],
    ),
    cidrs: v.optional(v.array(cidr), []),
  }),
  v.check(
    ({ securityGroups, cidrs }) => securityGroups.length + cidrs.length > 0,
    "volumeConsumers must name a security group or a range",
  ),
  v.check(
    ({ securityGroups, cidrs }) => securityGroups.length + cidrs.length <= MOST_PEERS,
    `volumeConsumers may name ${MOST_PEERS} security groups and ranges`,
  ),
);

function isRange(text: string): boolean {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  const [first = 256, second = 256, third = 256, fourth = 256, mask = 0] = (match ?? []).slice(1).map(Number);
  const address = [first, second, third, fourth].reduce((number, byte) => number * 256 + byte, 0);
  return Math.max(first, second, third, fourth) < 256 && mask >= 8 && mask <= 32 && address % 2 ** (32 - mask) === 0;
}

/**
 * Reads the setting `volumeConsumers`, an object or its JSON. Undefined: no host may mount.
 *
 * @throws InvalidInput that names the problem
 */
export function parseVolumeConsumers(given: unknown): VolumeConsumers | undefined {
  let value = given;
  if (typeof given === "string") {
    try {
      value = JSON.parse(given);
    } catch {
      throw new InvalidInput("context volumeConsumers is not valid JSON");
    }
  }
  return value === undefined ? undefined : parseOrThrow(VolumeConsumersSchema, value, "volumeConsumers");
}

/** The network's side: hosts reach only the file system in the network. */
export function admitConsumers({ securityGroups, cidrs }: VolumeConsumers, fileSystemGroup: SecurityGroup): void {
  const peers: IPeer[] = [
    ...securityGroups.map((id) => Peer.securityGroupId(id)),
    ...cidrs.map((range) => Peer.ipv4(range)),
  ];
  for (const peer of peers) {
    fileSystemGroup.addIngressRule(peer, Port.NFS, "Hosts that use volumes");
  }
}

/**
 * The file system's side: hosts that the network admits may read and write through an access point, which shows only the volumes and makes
 * every host their owner. TLS is required: see the other statement of the policy.
 *
 * The policy is a part of the file system, on which its access point depends, so it cannot name it. There is one: the functions', whose root
 * is the directory of the volumes; a test holds the stack to it.
 */
export function consumersStatement(scope: Construct): PolicyStatement {
  const anyAccessPoint = Stack.of(scope).formatArn({
    service: "elasticfilesystem",
    resource: "access-point",
    resourceName: "*",
  });
  return new PolicyStatement({
    principals: [new AnyPrincipal()],
    actions: ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
    conditions: {
      StringLike: { "elasticfilesystem:AccessPointArn": anyAccessPoint },
      Bool: { "elasticfilesystem:AccessedViaMountTarget": "true" },
    },
  });
}

/** The stack's file system as hosts mount it. */
export function exportOf(fileSystem: FileSystem): ExportedFileSystem {
  const { region, urlSuffix } = Stack.of(fileSystem);
  return { mount_point: MOUNT_POINT, export: `${fileSystem.fileSystemId}.efs.${region}.${urlSuffix}:/` };
}
