import { backendHost } from "../../backends/backends.ts";
import type { BackendRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { badRequest, notFound } from "../errors.ts";
import type { Answer, Call } from "../http.ts";
import { apiTime } from "../links.ts";
import { booleanOf } from "../parameters.ts";

/** Services, hosts, pools and capabilities, from the backends' reports. Each backend is a `cinder-volume` service. */

const CLUSTER = 7;
const BACKEND_STATE = 49;

type Service = {
  binary: string;
  host: string;
  zone: string;
  disabled: boolean;
  reason: string | null;
  up: boolean;
  at: string;
};

async function services(deps: ApiDependencies): Promise<Service[]> {
  const now = deps.clock.now();
  const byHost = new Map<string, Service>();
  for (const pool of await deps.backends.list()) {
    const host = backendHost(pool.host);
    const up = now.getTime() - Date.parse(pool.reported_at) <= deps.serviceDownSeconds * 1000;
    const { disabled, disabled_reason: reason = null, availability_zone: zone, reported_at: at } = pool;
    byHost.set(host, { binary: "cinder-volume", host, zone, disabled, reason, up, at });
  }
  const scheduler = { binary: "cinder-scheduler", host: "cinderless", zone: deps.zones[0] ?? "nova" };
  return [...byHost.values(), { ...scheduler, disabled: false, reason: null, up: true, at: now.toISOString() }];
}

/** `GET /os-services`, narrowed by `binary` and by `host`, which may be a host with all of its backends. */
export async function listServices(deps: ApiDependencies, call: Call): Promise<Answer> {
  const { version, query } = call;
  const binary = query.get("binary");
  const host = query.get("host");
  const found = (await services(deps))
    .filter((each) => binary === null || binary === "" || each.binary === binary)
    .filter((each) => host === null || host === "" || each.host === host || each.host.split("@")[0] === host);
  return {
    status: 200,
    body: {
      services: found.map((each) => ({
        binary: each.binary,
        host: each.host,
        zone: each.zone,
        status: each.disabled ? "disabled" : "enabled",
        state: each.up ? "up" : "down",
        updated_at: apiTime(each.at),
        ...(version >= BACKEND_STATE && each.binary === "cinder-volume" && { backend_state: each.up ? "up" : "down" }),
        ...(version >= CLUSTER && { cluster: null }),
        disabled_reason: each.reason,
        ...(each.binary === "cinder-volume" && {
          replication_status: "disabled",
          active_backend_id: null,
          frozen: false,
        }),
      })),
    },
  };
}

/** `GET /os-hosts` */
export async function listHosts(deps: ApiDependencies, call: Call): Promise<Answer> {
  const zone = call.query.get("zone");
  const hosts = (await services(deps))
    .filter((each) => zone === null || each.zone === zone)
    .map((each) => ({
      host_name: each.host,
      service: each.binary,
      zone: each.zone,
      "service-status": each.up ? "available" : "unavailable",
      "service-state": each.disabled ? "disabled" : "enabled",
      "last-update": apiTime(each.at),
    }));
  return { status: 200, body: { hosts } };
}

/** `GET /os-hosts/{host}`: the content of a backend, in total and by project; counts are texts. */
export async function showHost(deps: ApiDependencies, call: Call): Promise<Answer> {
  const host = call.params["host"] ?? "";
  if (!(await services(deps)).some((each) => each.host === host)) {
    throw notFound(`Service cinder-volume could not be found on host ${host.slice(0, 255)}.`);
  }
  const [volumes, snapshots] = await Promise.all([
    deps.projects.listAll("volume").then((entries) => deps.volumes.getMany(entries.map(({ id }) => id))),
    deps.projects.listAll("snapshot").then((entries) => deps.snapshots.getMany(entries.map(({ id }) => id))),
  ]);
  const things = [
    ...[...volumes.values()].map((each) => ({ ...each, kind: "volume" as const })),
    ...[...snapshots.values()].map((each) => ({ ...each, size: each.volume_size, kind: "snapshot" as const })),
  ].filter((each) => each.host !== null && backendHost(each.host) === host);
  const resource = (project: string, of: typeof things) => {
    const sizes = (kind: string): number[] => of.filter((each) => each.kind === kind).map(({ size }) => size);
    const total = (all: readonly number[]): string => String(all.reduce((sum, size) => sum + size, 0));
    return {
      resource: {
        host,
        project,
        volume_count: String(sizes("volume").length),
        total_volume_gb: total(sizes("volume")),
        snapshot_count: String(sizes("snapshot").length),
        total_snapshot_gb: total(sizes("snapshot")),
      },
    };
  };
  const projects = [...new Set(things.map(({ project_id: id }) => id))].toSorted();
  const byProject = projects.map((id) =>
    resource(
      id,
      things.filter((each) => each.project_id === id),
    ),
  );
  return { status: 200, body: { host: [resource("(total)", things), ...byProject] } };
}

/** Capabilities of a pool, by the names of Cinder's scheduler. */
function capabilitiesOf(pool: BackendRecord): Record<string, unknown> {
  return {
    ...pool.capabilities,
    pool_name: pool.host.split("#")[1] ?? "",
    total_capacity_gb: pool.total_capacity_gb,
    free_capacity_gb: pool.free_capacity_gb,
    allocated_capacity_gb: pool.allocated_capacity_gb,
    provisioned_capacity_gb: pool.provisioned_capacity_gb,
    reserved_percentage: pool.reserved_percentage,
    max_over_subscription_ratio: pool.max_over_subscription_ratio,
    thin_provisioning_support: pool.thin_provisioning_support,
    thick_provisioning_support: pool.thick_provisioning_support,
    vendor_name: pool.capabilities["vendor_name"] ?? "Open Source",
    storage_protocol: pool.capabilities["storage_protocol"] ?? "nfs",
    timestamp: apiTime(pool.reported_at),
  };
}

/** `GET /scheduler-stats/get_pools` */
export async function listPools(deps: ApiDependencies, call: Call): Promise<Answer> {
  const text = call.query.get("detail") ?? "false";
  const detail = booleanOf(text);
  if (detail === undefined) {
    throw badRequest(`Value '${text.slice(0, 255)}' for 'detail' is not a boolean.`);
  }
  const name = call.query.get("name");
  const pools = (await deps.backends.list())
    .filter(({ host }) => name === null || host === name)
    .map((pool) => ({ name: pool.host, ...(detail && { capabilities: capabilitiesOf(pool) }) }));
  return { status: 200, body: { pools } };
}

/** `GET /capabilities/{host}` of `host@backend`. */
export async function showCapabilities(deps: ApiDependencies, call: Call): Promise<Answer> {
  const asked = call.params["host"] ?? "";
  const pool = (await deps.backends.list()).find(({ host }) => host === asked || backendHost(host) === asked);
  if (pool === undefined) {
    throw notFound(`Can't find service: ${asked.slice(0, 255)}`);
  }
  const { vendor_name, storage_protocol, pool_name } = capabilitiesOf(pool);
  return {
    status: 200,
    body: {
      namespace: `OS::Storage::Capabilities::${asked}`,
      vendor_name,
      volume_backend_name: pool.capabilities["volume_backend_name"] ?? pool_name,
      pool_name: null,
      driver_version: "1.0",
      storage_protocol,
      display_name: null,
      description: null,
      visibility: null,
      replication_targets: [],
      properties: {},
    },
  };
}

/** `GET /os-availability-zone` */
export async function listZones({ zones }: ApiDependencies): Promise<Answer> {
  const info = zones.map((zoneName) => ({ zoneName, zoneState: { available: true } }));
  return { status: 200, body: { availabilityZoneInfo: info } };
}
