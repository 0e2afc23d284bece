import { setTimeout as delay } from "node:timers/promises";
import { openClaimsOn } from "../../core/claims.ts";
import { longestUndecidedSeconds } from "../../core/settings/time-bounds.ts";
import { everything, executionsRunning, messagesIn } from "./gather.ts";
import { persist, type Services } from "./services.ts";
import { TIME_BOUNDS } from "./stack.ts";

/** Amount of open work of each kind. */
export type Unrest = { "in flow": number; messages: number; executions: number; claims: number; snapshots: number };

const QUIET_LOOKS = 3;
const LOOK_MS = 300;

/** Longer than any fault may leave a volume undecided: after that, what is undecided is stuck. */
export const LONGEST_REST_MS = 2 * longestUndecidedSeconds(TIME_BOUNDS) * 1000;

/**
 * Waits until no work is open, or until that takes longer than any bound.
 *
 * @param look counts the open work
 * @returns the remaining open work, for the checks to report; null at rest
 */
export async function untilRest<Counts extends Record<string, number>>(
  look: () => Promise<Counts>,
  signal: AbortSignal,
  onLook: (counts: Counts) => void = () => undefined,
): Promise<Counts | null> {
  const deadline = Date.now() + LONGEST_REST_MS;
  for (let quiet = 0; ;) {
    const counts = await persist(signal, look);
    onLook(counts);
    quiet = Object.values(counts).every((count) => count === 0) ? quiet + 1 : 0;
    if (quiet === QUIET_LOOKS) {
      return null;
    }
    if (Date.now() >= deadline) {
      return counts;
    }
    await delay(LOOK_MS);
  }
}

/**
 * Counts the open work.
 *
 * @param leftAlone ids of volumes that do not count
 */
export async function unrestOf(services: Services, leftAlone: ReadonlySet<string> = new Set()): Promise<Unrest> {
  const hosts = (await services.backends.list()).map(({ host }) => host);
  const claimed = (await openClaimsOn(services.backends, hosts)).map(({ volumeId }) => volumeId);
  const snapshots = await everything((limit, from) => services.snapshots.list(limit, from));
  return {
    "in flow": (await services.inFlow()) - leftAlone.size,
    messages:
      (await messagesIn(services, "SchedulerQueueUrl")) + (await messagesIn(services, "SchedulerDeadLetterQueueUrl")),
    executions: await executionsRunning(services),
    claims: claimed.filter((volumeId) => !leftAlone.has(volumeId)).length,
    snapshots: snapshots.filter(({ deadline }) => deadline !== undefined).length,
  };
}
