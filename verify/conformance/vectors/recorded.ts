/** Answers recorded from Cinder's own scheduler classes, and the builder that puts a pool into this scheduler's shape. */

import type { PoolState } from "../../../core/scheduling/pool-state.ts";
import type { FilterProperties, RequestSpec, Retry } from "../../../core/scheduling/request.ts";

/** Cinder's answer, or the error that it raised. */
export type Recorded<Answer> = { result: Answer } | { raises: string; message: string };

export type CapacityVector = {
  name?: string;
  filter_properties: FilterProperties;
  state: Partial<PoolState>;
  out: Recorded<boolean>;
};

export type CreateLoop = {
  name: string;
  size: number;
  availability_zone: string | null;
  extra_specs: Record<string, string> | null;
  /** `[host, [[pool, free]], zone]`. */
  backends_free_gb: [string, [string, number][], string][];
  failing: string[];
  filters: "default" | string[];
  max_attempts: number;
  trace: Record<string, unknown>[];
  final_row: { host: string | null; status: string; scheduled_at_set: boolean };
  scheduler_view_of_free_gb: Record<string, number>;
};

export type SchedulerVectors = {
  capacity_filter_named: CapacityVector[];
  capacity_filter_random: CapacityVector[];
  pool_state_defaults: {
    name: string;
    capability: Record<string, unknown>;
    global_ratio: string;
    out: Record<string, unknown>;
  }[];
  consume_from_volume: {
    free_before: number | string | null;
    size: number;
    raises: string | null;
    after: {
      allocated: number;
      free: number | string | null;
      provisioned: number;
      updated_moved: boolean;
    };
  }[];
  consume_then_reports: {
    consumed: number;
    free_reported: number;
    free_after_an_older_report: number;
    free_after_a_newer_report_of_9: number;
  }[];
  weighers: {
    name: string;
    weighers: string[];
    capacity_weight_multiplier: number;
    allocated_capacity_weight_multiplier: number;
    backends_in_order: [string, Partial<PoolState>][];
    weight_properties: FilterProperties;
    out_best_first: Recorded<[string, number][]>;
  }[];
  normalize: { weights: number[]; min: number | null; max: number | null; out: number[] }[];
  extra_specs_match: { value: unknown; req: string | null; out: Recorded<boolean> }[];
  capabilities_filter: {
    name: string;
    capabilities: Record<string, unknown>;
    extra_specs: Record<string, string>;
    out: Recorded<boolean>;
  }[];
  availability_zone_filter: {
    service_az: string;
    request_spec: RequestSpec;
    out: Recorded<boolean>;
  }[];
  ignore_attempted_hosts_filter: {
    backend: string;
    filter_properties: { retry: Retry | null };
    out: Recorded<boolean>;
  }[];
  populate_retry: {
    name: string;
    filter_properties?: FilterProperties;
    max_attempts: number;
    /** Absent where the scheduler refused its setting. */
    after?: FilterProperties;
    message: string | null;
    raises: string | null;
  }[];
  create_loops: CreateLoop[];
  /** The seed's volume manager, which goes back to the scheduler without a retry, too, against Zed's scheduler. */
  seed_manager_with_zed_retry: {
    name: string;
    max_attempts: number;
    hops: ({ manager_given_retry: Retry | null } | { scheduler_raises: string; message: string })[];
    still_going_after_8_hops: boolean;
  }[];
};

/** A pool without a quirk: 1000 GiB, thick, all of it free. */
export function aPool(changes: Partial<PoolState> = {}): PoolState {
  const host = changes.host ?? "h@b#p";
  return {
    host,
    cluster_name: null,
    backend_id: host,
    availability_zone: "nova",
    total_capacity_gb: 1000,
    free_capacity_gb: 1000,
    allocated_capacity_gb: 0,
    provisioned_capacity_gb: 0,
    reserved_percentage: 0,
    max_over_subscription_ratio: 1,
    thin_provisioning_support: false,
    thick_provisioning_support: true,
    capabilities: {},
    reported_at: "2026-01-01T00:00:00.000Z",
    updated_at: "2026-01-01T00:00:00.000Z",
    ...changes,
  };
}
