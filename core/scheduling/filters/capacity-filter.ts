import { capacityVerdict } from "../capacity.ts";
import type { FilterProperties } from "../request.ts";
import { PASSES, type Filter } from "./filter.ts";

/** The pool must have room for the additional size (`cinder/scheduler/filters/capacity_filter.py`). */
export const capacityFilter: Filter = {
  name: "CapacityFilter",
  passes(pool, filterProperties) {
    if (filterProperties.vol_exists_on === pool.backend_id) {
      return PASSES;
    }
    return capacityVerdict(pool, requestedGib(filterProperties), filterProperties.volume_type);
  },
};

/** The growth if the volume is to be extended, else its size; null if the request does not say. */
function requestedGib({ new_size: newSize, size }: FilterProperties): number | null {
  if (!newSize) {
    return size ?? null;
  }
  return typeof size === "number" ? newSize - size : null;
}
