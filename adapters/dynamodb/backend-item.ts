import type { BackendRecord, CapacityClaim } from "../../core/records.ts";
import { readerOf } from "./reading.ts";
import type { Item } from "./table.ts";

/** An entry of `claims` on a backend's item: a claim that the sums count, or one that was given back, until the claim's own item says so. */
export type Entry = CapacityClaim & { given_back?: boolean };

/** A stored backend: null values of a report are absent. */
type StoredBackend = Pick<BackendRecord, "host" | "availability_zone" | "driver" | "reported_at"> &
  Partial<Omit<BackendRecord, "claims">> & { claims?: Record<string, Entry> };

/** The part of a backend's item that claims need. */
export type BackendState = {
  backend: BackendRecord;
  entries: Readonly<Record<string, Entry>>;
  moves: number;
  claimedGib: number;
  countsFree: boolean;
};

export const BACKENDS = readerOf<BackendRecord>(
  "backend",
  {
    host: "text",
    availability_zone: "text",
    allocated_capacity_gb: "number",
    provisioned_capacity_gb: "number",
    reserved_percentage: "number",
    reported_at: "text",
    capabilities: "map",
    claims: "maps",
    moves: "number",
    claimed_gb: "number",
  },
  shapeOf,
  "host",
);

const STATES = readerOf<BackendState>(
  "backend",
  { claims: "maps", moves: "number", claimed_gb: "number" },
  (stored: StoredBackend & { claimed_gb?: number }) => ({
    backend: shapeOf(stored),
    entries: stored.claims ?? {},
    moves: stored.moves ?? 0,
    claimedGib: stored.claimed_gb ?? 0,
    countsFree: typeof stored.free_capacity_gb === "number",
  }),
  "host",
);

/** @throws UnreadableRecord */
export function stateOf(item: Item): BackendState {
  return STATES.read(item);
}

function shapeOf(stored: StoredBackend): BackendRecord {
  return {
    host: stored.host,
    availability_zone: stored.availability_zone,
    driver: stored.driver,
    disabled: stored.disabled ?? false,
    ...(typeof stored.disabled_reason === "string" && { disabled_reason: stored.disabled_reason }),
    total_capacity_gb: stored.total_capacity_gb ?? null,
    free_capacity_gb: stored.free_capacity_gb ?? null,
    allocated_capacity_gb: stored.allocated_capacity_gb ?? 0,
    provisioned_capacity_gb: stored.provisioned_capacity_gb ?? 0,
    reserved_percentage: stored.reserved_percentage ?? 0,
    max_over_subscription_ratio: stored.max_over_subscription_ratio ?? null,
    thin_provisioning_support: stored.thin_provisioning_support ?? false,
    thick_provisioning_support: stored.thick_provisioning_support ?? false,
    capabilities: stored.capabilities ?? {},
    reported_at: stored.reported_at,
    moves: stored.moves ?? 0,
    claims: Object.fromEntries(
      Object.entries(stored.claims ?? {}).filter(([, { given_back: isOver }]) => isOver !== true),
    ),
  };
}
