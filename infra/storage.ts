import { Stack } from "aws-cdk-lib";
import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  IpAddresses,
  type IVpc,
  InterfaceVpcEndpoint,
  InterfaceVpcEndpointAwsService,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from "aws-cdk-lib/aws-ec2";
import {
  type AccessPoint,
  type CfnFileSystem,
  FileSystem,
  LifecyclePolicy,
  OutOfInfrequentAccessPolicy,
  ThroughputMode,
} from "aws-cdk-lib/aws-efs";
import { AnyPrincipal, Effect, PolicyDocument, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { FunctionOptions } from "aws-cdk-lib/aws-lambda";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { MOUNT_POINT } from "./mount-point.ts";
import type { DataProps } from "./records.ts";
import { admitConsumers, consumersStatement, type VolumeConsumers } from "./volume-consumers.ts";

/** The one user of all functions' writes. */
const OWNER = { uid: "1000", gid: "1000" };

/**
 * Refuses connections without TLS and allows nothing. A file system without a policy allows everyone who reaches a mount target. With this
 * policy a client needs the right to mount in its own IAM policy, and only the functions have it, through the access point. Consumers of volumes
 * have a statement of their own.
 *
 * @see https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html
 */
function encryptedClientsOnly(): PolicyStatement {
  return new PolicyStatement({
    effect: Effect.DENY,
    principals: [new AnyPrincipal()],
    actions: ["*"],
    conditions: { Bool: { "aws:SecureTransport": "false" } },
  });
}

/** The file system's encryption and lifetime, the address range of its network, and whether secrets are read from there. */
export type StorageProps = DataProps & {
  vpcCidr: string;
  readsSecrets: boolean;
  volumeConsumers: VolumeConsumers | undefined;
};

/** Two zones: a mount target in each, so that the loss of one zone leaves the volumes reachable. */
const ZONES = 2;

/**
 * The file backend's storage on AWS: an encrypted EFS file system with one access point, in isolated subnets of its own network. That
 * network has no internet access. Functions reach DynamoDB and S3 through free gateways, and Secrets Manager through an interface endpoint
 * if an image service needs it. Functions that call other services are outside: see docs/adr/0023.
 */
export class Storage extends Construct {
  private readonly vpc: IVpc;
  private readonly functionsGroup: SecurityGroup;
  private readonly accessPoint: AccessPoint;
  readonly fileSystem: FileSystem;
  /** Id of the access point, where {@link VolumeConsumers} may mount through it. */
  readonly consumersAccessPointId: string | undefined;

  constructor(scope: Construct, id: string, props: StorageProps) {
    super(scope, id);
    // The package's types disagree about optional properties.
    this.vpc = this.network(props) as IVpc;
    this.functionsGroup = this.securityGroup("FunctionsSecurityGroup", "Functions that touch volumes", true);
    if (props.readsSecrets) {
      this.secretsEndpoint();
    }
    const fileSystemGroup = this.securityGroup("FileSystemSecurityGroup", "The file system of the volumes", false);
    fileSystemGroup.addIngressRule(this.functionsGroup, Port.NFS, "Functions that touch volumes");
    this.fileSystem = new FileSystem(this, "FileSystem", {
      vpc: this.vpc,
      vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED },
      securityGroup: fileSystemGroup,
      encrypted: true,
      ...(props.encryptionKey !== undefined && { kmsKey: props.encryptionKey }),
      throughputMode: ThroughputMode.ELASTIC,
      lifecyclePolicy: LifecyclePolicy.AFTER_30_DAYS,
      outOfInfrequentAccessPolicy: OutOfInfrequentAccessPolicy.AFTER_1_ACCESS,
      enableAutomaticBackups: true,
      removalPolicy: props.removalPolicy,
    });
    const { volumeConsumers } = props;
    if (volumeConsumers !== undefined) {
      admitConsumers(volumeConsumers, fileSystemGroup);
    }
    // Set here, because `fileSystemPolicy` of the construct adds a statement that lets every client of a mount target write as root.
    (this.fileSystem.node.defaultChild as CfnFileSystem).fileSystemPolicy = new PolicyDocument({
      statements: [encryptedClientsOnly(), ...(volumeConsumers === undefined ? [] : [consumersStatement(this)])],
    });
    this.accessPoint = this.fileSystem.addAccessPoint("AccessPoint", {
      path: "/volumes",
      posixUser: OWNER,
      createAcl: { ownerUid: OWNER.uid, ownerGid: OWNER.gid, permissions: "700" },
    });
    this.consumersAccessPointId = volumeConsumers === undefined ? undefined : this.accessPoint.accessPointId;
  }

  /** The properties that give a function access to the volumes. */
  functionOptions(): Pick<FunctionOptions, "vpc" | "vpcSubnets" | "securityGroups" | "filesystem"> {
    const { accessPoint, fileSystem } = this;
    return {
      vpc: this.vpc,
      vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED },
      securityGroups: [this.functionsGroup],
      filesystem: {
        config: {
          localMountPath: MOUNT_POINT,
          arn: accessPoint.accessPointArn,
          dependency: [fileSystem.mountTargetsAvailable],
          policies: [
            new PolicyStatement({
              actions: ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
              resources: [fileSystem.fileSystemArn],
              conditions: { StringEquals: { "elasticfilesystem:AccessPointArn": accessPoint.accessPointArn } },
            }),
          ],
        },
      },
    };
  }

  private securityGroup(id: string, description: string, allowAllOutbound: boolean): SecurityGroup {
    return new SecurityGroup(this, id, { vpc: this.vpc, description, allowAllOutbound });
  }

  private network({ removalPolicy, encryptionKey, vpcCidr }: StorageProps): Vpc {
    const logGroup = new LogGroup(this, "FlowLogs", {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy,
      ...(encryptionKey !== undefined && { encryptionKey }),
    });
    const vpc = new Vpc(this, "Network", {
      ipAddresses: IpAddresses.cidr(vpcCidr),
      maxAzs: ZONES,
      natGateways: 0,
      subnetConfiguration: [{ name: "Volumes", subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 24 }],
      // The CDK would add a function to empty the default group, which is not used here.
      restrictDefaultSecurityGroup: false,
      flowLogs: {
        Rejected: {
          destination: FlowLogDestination.toCloudWatchLogs(logGroup),
          trafficType: FlowLogTrafficType.REJECT,
        },
      },
    });
    const { DYNAMODB, S3 } = GatewayVpcEndpointAwsService;
    for (const [id, service] of Object.entries({ DynamoDb: DYNAMODB, S3 })) {
      vpc.addGatewayEndpoint(id, { service }).addToPolicy(this.ownAccountOnly());
    }
    return vpc;
  }

  /**
   * Lets an endpoint carry requests of this account's identities to this account's resources. Foreign credentials in a function cannot
   * export data through it.
   *
   * @see https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
   */
  private ownAccountOnly(): PolicyStatement {
    const { account } = Stack.of(this);
    return new PolicyStatement({
      principals: [new AnyPrincipal()],
      actions: ["*"],
      resources: ["*"],
      conditions: { StringEquals: { "aws:PrincipalAccount": account, "aws:ResourceAccount": account } },
    });
  }

  /**
   * The endpoint of Secrets Manager, for functions that read images from a Glance with credentials. An interface endpoint costs money for
   * every hour and zone, so it exists only when it is used.
   */
  private secretsEndpoint(): void {
    const group = this.securityGroup("EndpointsSecurityGroup", "Endpoint of Secrets Manager", false);
    group.addIngressRule(this.functionsGroup, Port.HTTPS, "Functions that touch volumes");
    const service = InterfaceVpcEndpointAwsService.SECRETS_MANAGER;
    const options = { vpc: this.vpc, service, securityGroups: [group], open: false };
    new InterfaceVpcEndpoint(this, "SecretsManagerEndpoint", options).addToPolicy(this.ownAccountOnly());
  }
}
