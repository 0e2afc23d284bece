import { NoValidBackend } from "../errors.ts";
import type { BackendRepository, Clock, Owner } from "../ports.ts";
import type { BackendRecord } from "../records.ts";
import { poolCapabilities } from "./backend-report.ts";
import { claimLimits } from "./claim-limits.ts";
import { poolStateFromReport, type PoolState } from "./pool-state.ts";
import type { FilterProperties } from "./request.ts";
import { type DroppedPool, explainDropped, type Pin, selectPool } from "./schedule.ts";
import type { SchedulerSettings } from "./settings.ts";

/** Dependencies of choosing and claiming a backend. */
export type ClaimDependencies = {
  /** The backends among which one is chosen; may be a view of them that is a little old. */
  candidates: Pick<BackendRepository, "list" | "claim">;
  /** The backends as they are now. */
  backends: Pick<BackendRepository, "list" | "claimOf">;
  clock: Clock;
  settings: SchedulerSettings;
};

/** A backend that holds a claim for the attempt, and when that was made: the start of the attempt. */
export type Candidate = { host: string; availabilityZone: string; claimedAt: string };

/** Number of rounds that read the backends again because others were faster; each round takes the best remaining one. */
const CLAIM_ROUNDS = 10;

/**
 * Filters, weighs, and claims the best backend for an attempt: `FilterScheduler._schedule`, with the consumption made durable. Two
 * schedulers cannot take the same space: the claim is conditional on the very bounds that the capacity filter passed.
 *
 * A claim that an earlier delivery of the same attempt made is found and kept. One that is no longer on its backend's own item is looked for
 * only when nothing else is left; otherwise the attempt gets another one, and the sweep releases the first.
 *
 * @param pin why the properties name a `resource_backend`, if they do
 * @throws NoValidBackend that says why no backend was left.
 */
export async function claimBackend(
  deps: ClaimDependencies,
  owner: Owner,
  size: number,
  properties: FilterProperties,
  pin?: Pin,
): Promise<Candidate> {
  for (let round = 0; round < CLAIM_ROUNDS; round += 1) {
    const seen = choose(await deps.candidates.list(), deps, owner, properties);
    // That there is none is final, so neither an old view may say it, nor one without the claims that have items of their own.
    const backends = "dropped" in seen ? await deps.backends.list() : [];
    const choice = "dropped" in seen ? choose(backends, deps, owner, properties) : seen;
    if ("dropped" in choice) {
      const held = await heldClaim(deps, backends, owner);
      if (held !== undefined) {
        return held;
      }
      throw new NoValidBackend(`No weighed backends available (${explainDropped(choice.dropped, pin)})`);
    }
    if ("held" in choice) {
      return candidateOf(choice.held, owner);
    }
    const limits = claimLimits(choice.pool, size, properties.volume_type);
    const claimed = limits.possible ? await deps.candidates.claim(choice.backend, owner, size, limits) : undefined;
    if (claimed !== undefined) {
      return candidateOf(claimed, owner);
    }
  }
  throw new Error(`No claim for volume ${owner.volumeId} after ${CLAIM_ROUNDS} rounds: other requests were faster`);
}

/** The claim of an earlier delivery that has an item of its own by now. */
async function heldClaim(
  deps: Pick<ClaimDependencies, "backends">,
  backends: readonly BackendRecord[],
  { volumeId, attempt }: Owner,
): Promise<Candidate | undefined> {
  const candidates = await Promise.all(
    backends.map(async ({ host, availability_zone: availabilityZone }): Promise<Candidate | undefined> => {
      const claim = await deps.backends.claimOf(host, volumeId, attempt);
      return claim && { host, availabilityZone, claimedAt: claim.claimed_at };
    }),
  );
  return candidates.find((candidate) => candidate !== undefined);
}

/** The backend that holds the attempt's claim already; else the best one; else why each was passed by. */
type Choice = { held: BackendRecord } | { backend: BackendRecord; pool: PoolState } | { dropped: DroppedPool[] };

function choose(
  backends: readonly BackendRecord[],
  deps: ClaimDependencies,
  owner: Owner,
  properties: FilterProperties,
): Choice {
  const held = backends.find(({ claims }) => claims[owner.volumeId]?.attempt === owner.attempt);
  if (held !== undefined) {
    return { held };
  }
  const { pools, down } = poolsInService(backends, deps);
  const { selected, dropped } = selectPool(properties, pools, deps.settings);
  const backend = backends.find(({ host }) => host === selected?.host);
  return selected === null || backend === undefined ? { dropped: [...dropped, ...down] } : { backend, pool: selected };
}

function candidateOf({ host, availability_zone, claims }: BackendRecord, { volumeId }: Owner): Candidate {
  const claim = claims[volumeId];
  if (claim === undefined) {
    throw new Error(`${host} was claimed for volume ${volumeId}, and has no claim of it`);
  }
  return { host, availabilityZone: availability_zone, claimedAt: claim.claimed_at };
}

/** Backends that are enabled and have reported lately, as pools; the others with the reason. */
export function poolsInService(
  backends: readonly BackendRecord[],
  deps: Pick<ClaimDependencies, "clock" | "settings">,
): { pools: PoolState[]; down: DroppedPool[] } {
  const oldest = new Date(deps.clock.now().getTime() - deps.settings.service_down_time * 1000).toISOString();
  const pools: PoolState[] = [];
  const down: DroppedPool[] = [];
  for (const backend of backends) {
    const reason = backend.disabled ? "is disabled" : `is down, its last report is of ${backend.reported_at}`;
    if (backend.disabled || backend.reported_at < oldest) {
      down.push({ backend_id: backend.host, filter: "service", reason });
    } else {
      pools.push(poolOfRecord(backend, deps.settings.max_over_subscription_ratio));
    }
  }
  return { pools, down };
}

/** A backend's record as the pool that the filters judge. */
export function poolOfRecord(backend: BackendRecord, globalRatio: string | number): PoolState {
  const capability = {
    ...backend.capabilities,
    total_capacity_gb: backend.total_capacity_gb,
    free_capacity_gb: backend.free_capacity_gb,
    allocated_capacity_gb: backend.allocated_capacity_gb,
    provisioned_capacity_gb: backend.provisioned_capacity_gb,
    reserved_percentage: backend.reserved_percentage,
    thin_provisioning_support: backend.thin_provisioning_support,
    thick_provisioning_support: backend.thick_provisioning_support,
    ...(backend.max_over_subscription_ratio === null
      ? {}
      : { max_over_subscription_ratio: backend.max_over_subscription_ratio }),
  };
  const report = {
    host: backend.host,
    cluster_name: null,
    availability_zone: backend.availability_zone,
    timestamp: backend.reported_at,
    capability: poolCapabilities({}, capability),
  };
  return poolStateFromReport(report, globalRatio);
}
