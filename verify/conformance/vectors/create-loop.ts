import {
  consumeFromVolume,
  poolStateFromReport,
  revertConsumedCapacity,
  type PoolState,
} from "../../../core/scheduling/pool-state.ts";
import { populateFilterProperties, type FilterProperties, type RequestSpec } from "../../../core/scheduling/request.ts";
import { addRetryBackend, populateRetry } from "../../../core/scheduling/retry.ts";
import { selectPool } from "../../../core/scheduling/schedule.ts";
import { CINDER_SETTINGS, schedulerSettings } from "../../../core/scheduling/settings.ts";
import type { CreateLoop } from "./recorded.ts";

/** One placement: where to, and what travelled with it. */
type Placement = { cast_to_volume: string; retry: unknown; keys_in_filter_properties: string[] };
/** The result of a loop. */
export type Run = {
  placements: Placement[];
  reason: string | null;
  row: CreateLoop["final_row"];
  freeGib: Record<string, unknown>;
};

/** Scheduler and volume manager taking turns over one volume, as the recording did, from the pure pieces. */
export function runLoop(loop: CreateLoop): Run {
  const settings = schedulerSettings(
    {
      scheduler_max_attempts: loop.max_attempts,
      ...(loop.filters === "default" ? {} : { scheduler_default_filters: loop.filters }),
    },
    CINDER_SETTINGS,
  );
  const requestSpec: RequestSpec = {
    volume_id: "VOL",
    volume_type: loop.extra_specs === null ? null : { extra_specs: loop.extra_specs },
    volume_properties: { size: loop.size, availability_zone: loop.availability_zone },
  };
  let pools = reportedPools(loop);
  let properties: FilterProperties = {};
  const placements: Placement[] = [];
  const row = { host: null as string | null, status: "creating", scheduled_at_set: false };
  const ended = (status: string, reason: string | null): Run => ({
    placements,
    reason,
    row: { ...row, status },
    freeGib: Object.fromEntries(pools.map((pool) => [pool.host, pool.free_capacity_gb])),
  });
  for (;;) {
    const { filterProperties: counted, noValidBackend: exceeded } = populateRetry(
      properties,
      settings.scheduler_max_attempts,
      "VOL",
    );
    if (exceeded !== null) {
      return ended("error", exceeded.message);
    }
    const populated = populateFilterProperties(counted, requestSpec);
    const lastTried = populated.retry?.backends?.at(-1);
    pools = pools.map((pool) => (pool.host === lastTried ? revertConsumedCapacity(pool, loop.size) : pool));
    const { selected, noValidBackend } = selectPool(populated, pools, settings);
    if (selected === null) {
      return ended("error", noValidBackend.message);
    }
    pools = pools.map((pool) =>
      pool === selected ? consumeFromVolume(pool, loop.size, "2026-01-02T00:00:00.000Z") : pool,
    );
    properties = addRetryBackend(populated, selected.backend_id);
    placements.push({
      cast_to_volume: selected.host,
      retry: properties.retry ?? null,
      keys_in_filter_properties: Object.keys(properties).toSorted(),
    });
    Object.assign(row, { host: selected.host, scheduled_at_set: true });
    if (!loop.failing.includes(selected.host)) {
      return ended("available", null);
    }
    if (properties.retry === undefined) {
      return ended("error", null);
    }
    row.host = null;
    properties = { ...properties, retry: { ...properties.retry, exc: ["Traceback", "boom"] } };
  }
}

function reportedPools({ backends_free_gb: backends }: CreateLoop): PoolState[] {
  return backends.flatMap(([host, pools, zone]) =>
    pools.map(([name, free]) =>
      poolStateFromReport(
        {
          host: `${host}#${name}`,
          cluster_name: null,
          availability_zone: zone,
          timestamp: "2026-01-01T00:00:00.000Z",
          capability: { total_capacity_gb: 1000, free_capacity_gb: free },
        },
        "20.0",
      ),
    ),
  );
}

/** The same of a recording. */
export function recordedRun({ trace, final_row: row, scheduler_view_of_free_gb: freeGib }: CreateLoop): Run {
  const placements = trace
    .filter((event) => "cast_to_volume" in event)
    .map(({ cast_to_volume, retry, keys_in_filter_properties }) => ({
      cast_to_volume,
      retry,
      keys_in_filter_properties,
    })) as Placement[];
  const failed = trace.find((event) => "notify_error" in event);
  return { placements, reason: (failed?.["reason"] ?? null) as string | null, row, freeGib };
}
