/** The filters by the class names that Cinder's setting `scheduler_default_filters` uses. */
// @ts-nocheck


import { availabilityZoneFilter } from "./availability-zone.ts";
import { capabilitiesFilter } from "./capabilities.ts";
import { capacityFilter } from "./capacity-filter.ts";
import type { Filter } from "./filter.ts";
import { ignoreAttemptedHostsFilter } from "./ignore-attempted-hosts.ts";

/** Every filter there is. The order in which they run is the setting's, not this one's. */
export const FILTERS: ReadonlyMap<string, Filter> = new Map(
  [availabilityZoneFilter, capacityFilter, capabilitiesFilter, ignoreAttemptedHostsFilter].map((filter) => [
    filter.name,
    filter,
  ]),
);
