// @ts-nocheck
import { setTimeout as delay } from "node:timers/promises";
import { longestUndecidedSeconds } from "../../core/time-bounds.ts";
import { executionsRunning, messagesIn } from "./gather.ts";
import { persist, type Services } from "./services.ts";
import { TIME_BOUNDS } from "./stack.ts";

/** EventBridge sweeps once a minute at most; the run is as impatient as its bounds are short. */
const SWEEP_MS = 2000;

/** Calls the sweep all the time until it is stopped; what a sweep throws is left to the next, as a schedule would. */
export function keepSweeping(services: Services): () => void {
  const stopping = new AbortController();
  const sweep = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await services.call(services.functionName("SweepOverdueVolumes"), {}).catch(() => undefined);
      await delay(SWEEP_MS);
    }
  };
  void sweep();
  return () => stopping.abort();
}

/** What is still going on. */
export type Unrest = { inFlow: number; messages: number; executions: number; claims: number };

const QUIET_LOOKS = 3;
const LOOK_MS = 300;

/** Longer than any fault may leave a volume undecided: after that, what is undecided is stuck. */
const LONGEST_MS = 2 * longestUndecidedSeconds(TIME_BOUNDS) * 1000;

/** Waits until nothing is going on; ends as well when that takes longer than anything may, for the checks to tell of. */
export async function untilRest(
  services: Services,
  signal: AbortSignal,
  onLook: (unrest: Unrest) => void,
): Promise<void> {
  const deadline = Date.now() + LONGEST_MS;
  for (let quiet = 0; quiet < QUIET_LOOKS && Date.now() < deadline;) {
    const unrest = await persist(signal, () => look(services));
    onLook(unrest);
    quiet = Object.values(unrest).every((count) => count === 0) ? quiet + 1 : 0;
    await delay(LOOK_MS);
  }
}

async function look(services: Services): Promise<Unrest> {
  const backends = await services.backends.list();
  return {
    inFlow: await services.inFlow(),
    messages:
      (await messagesIn(services, "SchedulerQueueUrl")) + (await messagesIn(services, "SchedulerDeadLetterQueueUrl")),
    executions: await executionsRunning(services),
    claims: backends.reduce((sum, { claims }) => sum + Object.keys(claims).length, 0),
  };
}
