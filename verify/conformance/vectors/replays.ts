import { describeError } from "../../../core/errors.ts";
import { matchExtraSpec } from "../../../core/scheduling/extra-specs.ts";
import { availabilityZoneFilter } from "../../../core/scheduling/filters/availability-zone.ts";
import { capabilitiesFilter } from "../../../core/scheduling/filters/capabilities.ts";
import { capacityFilter } from "../../../core/scheduling/filters/capacity-filter.ts";
import { ignoreAttemptedHostsFilter } from "../../../core/scheduling/filters/ignore-attempted-hosts.ts";
import {
  applyReport,
  consumeFromVolume,
  type PoolReport,
  poolStateFromReport,
} from "../../../core/scheduling/pool-state.ts";
import type { FilterProperties, Retry } from "../../../core/scheduling/request.ts";
import { addRetryBackend, populateRetry } from "../../../core/scheduling/retry.ts";
import { schedulerSettings } from "../../../core/scheduling/settings.ts";
import { WEIGHERS, weighPools } from "../../../core/scheduling/weighers/index.ts";
import { normalize } from "../../../core/scheduling/weighers/normalize.ts";
import { mayReschedule } from "../../../core/scheduling/schedule-volume.ts";
import { recordedRun, runLoop } from "./create-loop.ts";
import { aPool, type CapacityVector, type Recorded, type SchedulerVectors } from "./recorded.ts";

/**
 * A vector's answer here, and the one expected: Cinder's, or where Cinder crashed the answer that takes the crash's place, with the
 * crash as it is to be found in the list of defined answers.
 */
export type Replayed = {
  expected: unknown;
  actual: unknown;
  crash?: { place: string; error: string };
  /** The recording continues where this project, like Zed's manager, ends the request. */
  isEnded?: boolean;
};

type Section = keyof SchedulerVectors;

/** How a vector of each section is replayed. */
export const REPLAYS: { [Name in Section]: (vector: SchedulerVectors[Name][number]) => Replayed } = {
  capacity_filter_named: replayCapacity,
  capacity_filter_random: replayCapacity,
  pool_state_defaults: ({ capability, global_ratio, out }) => {
    const state: Record<string, unknown> = poolStateFromReport(aReport(capability), global_ratio);
    return { expected: out, actual: Object.fromEntries(Object.keys(out).map((key) => [key, state[key]])) };
  },
  consume_from_volume: replayConsumption,
  consume_then_reports: (vector) => {
    const reported = poolStateFromReport(
      aReport({ total_capacity_gb: 100, free_capacity_gb: vector.free_reported }),
      GLOBAL_RATIO,
    );
    const consumed = consumeFromVolume(reported, vector.consumed, "2026-01-01T00:01:00.000Z");
    const older = aReport({ free_capacity_gb: vector.free_reported }, "2026-01-01T00:00:30.000Z");
    const afterOlder = applyReport(consumed, older, GLOBAL_RATIO);
    const newer = aReport({ free_capacity_gb: 9 }, "2026-01-01T00:01:30.000Z");
    const afterNewer = applyReport(afterOlder, newer, GLOBAL_RATIO);
    return {
      expected: [vector.free_after_an_older_report, vector.free_after_a_newer_report_of_9],
      actual: [afterOlder.free_capacity_gb, afterNewer.free_capacity_gb],
    };
  },
  weighers: (vector) => {
    const weighers = vector.weighers.map((name) => {
      const weigher = WEIGHERS.get(name);
      if (weigher === undefined) {
        throw new Error(`no weigher ${name}`);
      }
      return weigher;
    });
    const pools = vector.backends_in_order.map(([host, figures]) => aPool({ ...figures, host }));
    const best = weighPools(weighers, pools, vector.weight_properties, vector);
    const allEqual = pools.map(({ host }) => [host, 0]);
    const actual = best.map(({ pool, weight }) => [pool.host, weight]);
    return recorded(vector.out_best_first, actual, "Weigher", allEqual);
  },
  normalize: ({ weights, min, max, out }) => ({ expected: out, actual: normalize(weights, min, max) }),
  extra_specs_match: ({ value, req, out }) => recorded(out, matchExtraSpec(value, req), "extra specs", false),
  capabilities_filter: ({ capabilities, extra_specs, out }) => {
    const verdict = capabilitiesFilter.passes(aPool({ capabilities }), { resource_type: { extra_specs } });
    return recorded(out, verdict.passes, "extra specs", false);
  },
  availability_zone_filter: ({ service_az, request_spec, out }) => {
    const verdict = availabilityZoneFilter.passes(aPool({ availability_zone: service_az }), { request_spec });
    return recorded(out, verdict.passes, "availability zone", false);
  },
  ignore_attempted_hosts_filter: ({ backend, filter_properties, out }) => {
    const { passes } = ignoreAttemptedHostsFilter.passes(
      aPool({ host: backend, backend_id: backend }),
      filter_properties,
    );
    return recorded(out, passes, "IgnoreAttemptedHostsFilter", true);
  },
  populate_retry: replayRetry,
  create_loops: (loop) => ({ expected: recordedRun(loop), actual: runLoop(loop) }),
  seed_manager_with_zed_retry: replayHops,
};

const GLOBAL_RATIO = "20.0";

function aReport(capability: Record<string, unknown>, timestamp = "2026-01-01T00:00:00.000Z"): PoolReport {
  return { host: "h@b#p", cluster_name: null, availability_zone: "nova", timestamp, capability };
}

/** Cinder's answer, or the defined one at that place where it crashed. */
function recorded<Answer>(out: Recorded<Answer>, actual: unknown, place: string, defined: unknown): Replayed {
  return "result" in out
    ? { expected: out.result, actual }
    : { expected: defined, actual, crash: { place, error: out.raises } };
}

function replayCapacity({ state, filter_properties: properties, out }: CapacityVector): Replayed {
  return recorded(out, capacityFilter.passes(aPool(state), properties).passes, "CapacityFilter", false);
}

/** Where Cinder raised half-way, the consumption is whole: the time moves, too. */
function replayConsumption({
  free_before: freeBefore,
  size,
  after,
  raises,
}: SchedulerVectors["consume_from_volume"][number]): Replayed {
  const before = aPool({
    allocated_capacity_gb: after.allocated - size,
    provisioned_capacity_gb: after.provisioned - size,
    free_capacity_gb: freeBefore,
  });
  const consumed = consumeFromVolume(before, size, "2026-01-02T00:00:00.000Z");
  const actual = {
    allocated: consumed.allocated_capacity_gb,
    free: consumed.free_capacity_gb,
    provisioned: consumed.provisioned_capacity_gb,
    updated_moved: consumed.updated_at !== before.updated_at,
  };
  const { allocated, free, provisioned, updated_moved: moved } = after;
  const expected = { allocated, free, provisioned, updated_moved: raises === null ? moved : true };
  return { expected, actual, ...(raises !== null && { crash: { place: "consumption", error: raises } }) };
}

/** The error for a setting with which the scheduler does not start: Cinder raises InvalidParameterValue, this one InvalidInput. */
const REFUSED = "scheduler_max_attempts is refused";

function isRefused(maxAttempts: number): boolean {
  try {
    schedulerSettings({ scheduler_max_attempts: maxAttempts });
    return false;
  } catch (error) {
    return describeError(error).name === "InvalidInput";
  }
}

/** A retry that lost its count counts the backends that it lists. */
function replayRetry(vector: SchedulerVectors["populate_retry"][number]): Replayed {
  const { filter_properties: properties = {}, max_attempts: maxAttempts } = vector;
  if (vector.raises === "InvalidParameterValue") {
    return { expected: REFUSED, actual: isRefused(maxAttempts) ? REFUSED : "taken" };
  }
  const populated = populateRetry(properties, maxAttempts, "VOL");
  if (vector.raises !== null && vector.raises !== "NoValidBackend") {
    const { backends, hosts } = properties.retry ?? {};
    return {
      expected: (backends ?? hosts ?? []).length + 1,
      actual: populated.filterProperties.retry?.num_attempts ?? 1,
      crash: { place: "retry", error: vector.raises },
    };
  }
  return {
    expected: { after: vector.after, message: vector.message },
    actual: { after: populated.filterProperties, message: populated.noValidBackend?.message ?? null },
  };
}

/**
 * The scheduler's part of each hop is as recorded, as long as the manager goes back with a retry. Without one the seed's goes back
 * for ever, or into a KeyError; here, as in Zed, that is the end.
 */
function replayHops({
  hops,
  max_attempts: maxAttempts,
}: SchedulerVectors["seed_manager_with_zed_retry"][number]): Replayed {
  const backend = hops.flatMap((hop) =>
    "manager_given_retry" in hop ? (hop.manager_given_retry?.backends ?? []) : [],
  );
  const expected: unknown[] = [];
  for (const hop of hops) {
    expected.push("message" in hop ? hop.message : hop.manager_given_retry);
    if (!("message" in hop) && hop.manager_given_retry === null) {
      break;
    }
  }
  const actual: unknown[] = [];
  // With no retry in its first hop although the scheduler counts attempts, the request came to the manager without one.
  const [first] = expected as (Retry | null)[];
  let properties: FilterProperties = {};
  if (first === null && maxAttempts > 1) {
    return { expected: [null, false], actual: [null, mayReschedule({ volume_id: "VOL" }, {})], isEnded: true };
  }
  for (;;) {
    const populated = populateRetry(properties, maxAttempts, "VOL");
    if (populated.noValidBackend !== null) {
      return { expected, actual: [...actual, populated.noValidBackend.message] };
    }
    properties = addRetryBackend(populated.filterProperties, backend[0] ?? "h@b#p");
    actual.push(properties.retry ?? null);
    if (!mayReschedule({ volume_id: "VOL" }, properties)) {
      return { expected, actual, isEnded: true };
    }
    properties = { ...properties, retry: { ...properties.retry, exc: ["boom"] } };
  }
}
