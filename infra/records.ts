import { RemovalPolicy } from "aws-cdk-lib";
import {
  AttributeType,
  BillingMode,
  ProjectionType,
  Table,
  TableEncryption,
  type TableProps,
} from "aws-cdk-lib/aws-dynamodb";
import { Construct } from "constructs";
import { INDEXES } from "../core/environment.ts";

/** The tables of records, one for each kind: on demand, encrypted, with point-in-time recovery, kept when the stack goes. */
export class Records extends Construct {
  readonly volumes: Table;
  readonly snapshots: Table;
  readonly volumeTypes: Table;
  readonly backends: Table;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.volumes = this.table("VolumesTable", "id");
    this.snapshots = this.table("SnapshotsTable", "id");
    this.volumeTypes = this.table("VolumeTypesTable", "id");
    this.backends = this.table("BackendsTable", "host");

    // Sparse: only volumes in the flow carry the two attributes, so the index costs what the creates under way cost.
    this.volumes.addGlobalSecondaryIndex({
      indexName: INDEXES.volumesByDeadline,
      partitionKey: { name: "in_flow", type: AttributeType.STRING },
      sortKey: { name: "deadline", type: AttributeType.STRING },
      projectionType: ProjectionType.KEYS_ONLY,
    });
    this.snapshots.addGlobalSecondaryIndex({
      indexName: INDEXES.snapshotsByVolume,
      partitionKey: { name: "volume_id", type: AttributeType.STRING },
      projectionType: ProjectionType.ALL,
    });
    this.volumeTypes.addGlobalSecondaryIndex({
      indexName: INDEXES.volumeTypesByName,
      partitionKey: { name: "name", type: AttributeType.STRING },
      projectionType: ProjectionType.ALL,
    });
  }

  private table(id: string, key: string): Table {
    const props: TableProps = {
      partitionKey: { name: key, type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.AWS_MANAGED,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy: RemovalPolicy.RETAIN,
    };
    return new Table(this, id, props);
  }
}
