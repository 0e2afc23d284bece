// @ts-nocheck
import { fails, PASSES, type Filter } from "./filter.ts";

/**
 * The service's zone must be one of `request_spec.availability_zones`; if that is empty, it must be the zone of the resource's
 * properties; if there is none either, any zone will do (`cinder/scheduler/filters/availability_zone_filter.py`).
 */
export const availabilityZoneFilter: Filter = {
  name: "AvailabilityZoneFilter",
  passes(pool, { request_spec }) {
    const zones = request_spec?.availability_zones ?? [];
    const zone = request_spec?.resource_properties?.availability_zone;
    const wanted = zones.length > 0 ? zones : zone ? [zone] : null;
    if (wanted === null || (pool.availability_zone !== null && wanted.includes(pool.availability_zone))) {
      return PASSES;
    }
    return fails(`is in availability zone ${pool.availability_zone ?? "(none)"}, not in ${wanted.join(" or ")}`);
  },
};
