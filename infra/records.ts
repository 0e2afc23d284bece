import { RemovalPolicy } from "aws-cdk-lib";
import { AttributeType, BillingMode, ProjectionType, Table, TableEncryption } from "aws-cdk-lib/aws-dynamodb";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { INDEXES } from "../core/settings/environment.ts";

/** For tables, buckets, file system and logs: whether they are kept when the stack is deleted, and the key that encrypts them. */
export type DataProps = { removalPolicy: RemovalPolicy; encryptionKey: IKey | undefined };

/** The tables of records, one for each kind: on demand, encrypted, with point-in-time recovery, kept when the stack is deleted. */
export class Records extends Construct {
  readonly volumes: Table;
  readonly snapshots: Table;
  readonly volumeTypes: Table;
  readonly backends: Table;
  readonly claims: Table;
  readonly locks: Table;
  readonly deadLetters: Table;
  readonly imageCache: Table;
  readonly projects: Table;
  private readonly props: DataProps;

  constructor(scope: Construct, id: string, props: DataProps) {
    super(scope, id);
    this.props = props;
    this.volumes = this.table("VolumesTable", "id");
    this.snapshots = this.table("SnapshotsTable", "id");
    this.volumeTypes = this.table("VolumeTypesTable", "id");
    this.backends = this.table("BackendsTable", "host");
    this.claims = this.table("ClaimsTable", "host", { sortKey: "claim", timeToLiveAttribute: "expires_at" });
    this.locks = this.table("LocksTable", "source", { sortKey: "lock" });
    this.deadLetters = this.table("DeadLettersTable", "id", { timeToLiveAttribute: "expires_at" });
    this.imageCache = this.table("ImageCacheTable", "id");
    this.projects = this.table("ProjectsTable", "project_id", { sortKey: "entry", timeToLiveAttribute: "expires_at" });
    // Sparse: only volumes in the flow have the two attributes, so the index's cost depends on the creates in progress.
    this.volumes.addGlobalSecondaryIndex({
      indexName: INDEXES.volumesByDeadline,
      partitionKey: { name: "in_flow", type: AttributeType.STRING },
      sortKey: { name: "deadline", type: AttributeType.STRING },
      projectionType: ProjectionType.KEYS_ONLY,
    });
    // Sparse, and local because a report subtracts exactly the claims that are open.
    this.claims.addLocalSecondaryIndex({
      indexName: INDEXES.openClaims,
      sortKey: { name: "open_since", type: AttributeType.STRING },
      projectionType: ProjectionType.ALL,
    });
    // Local, because only such an index can be read consistently: clients look up a new volume by its name.
    this.projects.addLocalSecondaryIndex({
      indexName: INDEXES.projectEntriesByName,
      sortKey: { name: "display_name", type: AttributeType.STRING },
      projectionType: ProjectionType.KEYS_ONLY,
    });
    this.snapshots.addGlobalSecondaryIndex({
      indexName: INDEXES.snapshotsByVolume,
      partitionKey: { name: "volume_id", type: AttributeType.STRING },
      projectionType: ProjectionType.ALL,
    });
    this.snapshots.addGlobalSecondaryIndex({
      indexName: INDEXES.snapshotsByDeadline,
      partitionKey: { name: "in_flow", type: AttributeType.STRING },
      sortKey: { name: "deadline", type: AttributeType.STRING },
      projectionType: ProjectionType.KEYS_ONLY,
    });
    this.volumeTypes.addGlobalSecondaryIndex({
      indexName: INDEXES.volumeTypesByName,
      partitionKey: { name: "name", type: AttributeType.STRING },
      projectionType: ProjectionType.ALL,
    });
  }

  private table(id: string, key: string, options: { sortKey?: string; timeToLiveAttribute?: string } = {}): Table {
    const { sortKey, timeToLiveAttribute } = options;
    const { removalPolicy, encryptionKey } = this.props;
    return new Table(this, id, {
      partitionKey: { name: key, type: AttributeType.STRING },
      ...(sortKey !== undefined && { sortKey: { name: sortKey, type: AttributeType.STRING } }),
      billingMode: BillingMode.PAY_PER_REQUEST,
      ...(encryptionKey === undefined
        ? { encryption: TableEncryption.AWS_MANAGED }
        : { encryption: TableEncryption.CUSTOMER_MANAGED, encryptionKey }),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy,
      // Retained data is also protected from a deletion by hand, unless the protection is removed first.
      deletionProtection: removalPolicy === RemovalPolicy.RETAIN,
      ...(timeToLiveAttribute !== undefined && { timeToLiveAttribute }),
    });
  }
}
