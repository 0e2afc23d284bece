// @ts-nocheck
import { fails, PASSES, type Filter } from "./filter.ts";

/**
 * A pool that was tried before is not tried again (`cinder/scheduler/filters/ignore_attempted_hosts_filter.py`). `retry.hosts`
 * counts only where the key `backends` is missing. Ids are compared whole: `h@b` does not exclude `h@b#p`.
 */
export const ignoreAttemptedHostsFilter: Filter = {
  name: "IgnoreAttemptedHostsFilter",
  passes(pool, { retry }) {
    const attempted = (retry?.backends === undefined ? retry?.hosts : retry.backends) ?? [];
    return attempted.includes(pool.backend_id) ? fails("was tried before") : PASSES;
  },
};
