import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { volumeItem } from "../../adapters/dynamodb/volume-item.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { buildCreateRequest } from "../../core/requests/create-request.ts";
import type { VolumeRecord } from "../../core/records.ts";
import type { ScaleSizes } from "./scale.ts";
import { newId, type Store } from "./store.ts";

/** Cost of one read with so many records, and the bound of its calls. */
export type ReadScale = { what: string; of: string; calls: number; read_units: number; most_calls: number };

const PAGE = 100;
/** Share of the volumes that a listing looks for, so that a filtered scan has to read many. */
const ONE_IN = 100;

/** Measures listings, the sweep's look at overdue volumes, and the scheduler's view of backends. */
export async function readsAtScale(store: Store, { volumes, backends }: ScaleSizes): Promise<ReadScale[]> {
  const clock = { now: () => new Date() };
  const repository = new DynamoDbVolumeRepository({
    client: store.client,
    tableName: store.tableName("VolumesTableName"),
    clock,
  });
  await store.fill(
    store.tableName("VolumesTableName"),
    Array.from({ length: volumes }, (_, index) => unmarshall(volumeItem(volumeOf(index)))),
  );
  const backendTable = store.tableName("BackendsTableName");
  await store.fill(
    backendTable,
    Array.from({ length: backends }, (_, index) => backendOf(index)),
  );
  const pools = new DynamoDbBackendRepository({
    client: store.client,
    tableName: backendTable,
    claimsTableName: store.tableName("ClaimsTableName"),
    clock,
  });
  const read = async (what: string, of: string, most: number, work: () => Promise<unknown>): Promise<ReadScale> => {
    const { calls, read: units } = await store.measure(work);
    return { what, of, calls, read_units: units, most_calls: most };
  };
  const ofVolumes = `${volumes} volumes`;
  // A filtered listing scans: at most a thousand records a request.
  const scans = Math.ceil(volumes / 1_000) + 1;
  return [
    await read("a page by status", ofVolumes, scans, () => repository.list({ status: "error" }, PAGE)),
    await read("a page by name", ofVolumes, scans, () => repository.list({ name: "volume 1" }, PAGE)),
    await read("a page by project", ofVolumes, scans, () => repository.list({ projectId: "project 1" }, PAGE)),
    await read("the sweep's first page of overdue volumes", ofVolumes, 1, () =>
      repository.listOverdue(new Date(), PAGE),
    ),
    // An item of 0.4 kB, a request for each MiB.
    await read("the scheduler's view", `${backends} backends`, 1 + Math.ceil(backends / 1_000), () => pools.list()),
  ];
}

/** One in {@link ONE_IN} is in `error`; every other one is overdue. */
function volumeOf(index: number): VolumeRecord {
  const input = { sizeGib: 1, name: `volume ${index}`, projectId: `project ${index % ONE_IN}` };
  const { record } = buildCreateRequest(input, new Date(0), { volumeId: newId(), requestId: `req-${newId()}` });
  return index % ONE_IN === 0
    ? { ...record, status: "error", deadline: null }
    : { ...record, deadline: new Date(index).toISOString() };
}

function backendOf(index: number): Record<string, unknown> {
  return {
    host: `scale@backend${index}#pool`,
    availability_zone: "nova",
    driver: "file",
    disabled: false,
    total_capacity_gb: 1_000,
    free_capacity_gb: 1_000,
    allocated_capacity_gb: 0,
    provisioned_capacity_gb: 0,
    claimed_gb: 0,
    moves: 0,
    reserved_percentage: 0,
    thin_provisioning_support: true,
    thick_provisioning_support: false,
    capabilities: { volume_backend_name: `backend${index}`, storage_protocol: "file" },
    reported_at: new Date(0).toISOString(),
    claims: {},
  };
}
