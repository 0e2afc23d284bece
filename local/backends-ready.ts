import { setTimeout as delay } from "node:timers/promises";
import { backendHost } from "../core/backends/backends.ts";
import type { BackendRepository } from "../core/ports.ts";

const PAUSE_MILLISECONDS = 25;

/**
 * Waits until each backend has reported since `since`: before that, the scheduler places nothing on it.
 *
 * @param hosts configured backends, as `host@backend`
 * @returns the hosts that have not reported when the time is up
 */
export async function waitForBackends(
  backends: Pick<BackendRepository, "list">,
  hosts: readonly string[],
  since: Date,
  timeoutMilliseconds: number,
  signal?: AbortSignal,
): Promise<string[]> {
  const end = Date.now() + timeoutMilliseconds;
  for (;;) {
    const records = await backends.list();
    const reported = records.filter((record) => Date.parse(record.reported_at) >= since.getTime());
    const known = new Set(reported.map((record) => backendHost(record.host)));
    const missing = hosts.filter((host) => !known.has(host));
    if (missing.length === 0 || Date.now() > end) {
      return missing;
    }
    await delay(PAUSE_MILLISECONDS, undefined, signal === undefined ? {} : { signal });
  }
}
