import { setTimeout as delay } from "node:timers/promises";
import { longestUndecidedSeconds } from "../../core/time-bounds.ts";
import { executionsRunning, messagesIn } from "./gather.ts";
import { persist, type Services } from "./services.ts";
import { TIME_BOUNDS } from "./stack.ts";

/** What is still going on. */
export type Unrest = { inFlow: number; messages: number; executions: number; claims: number };

const QUIET_LOOKS = 3;
const LOOK_MS = 300;

/** Longer than any fault may leave a volume undecided: after that, what is undecided is stuck. */
export const LONGEST_REST_MS = 2 * longestUndecidedSeconds(TIME_BOUNDS) * 1000;

/** Waits until nothing is going on; also returns when that takes longer than anything may, for the checks to report. */
export async function untilRest(
  services: Services,
  signal: AbortSignal,
  onLook: (unrest: Unrest) => void,
): Promise<void> {
  const deadline = Date.now() + LONGEST_REST_MS;
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
