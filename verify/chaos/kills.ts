import { setTimeout as delay } from "node:timers/promises";
import type { KillableCloud } from "./cloud.ts";
import { cachedFiles, truncateFiles } from "./damage.ts";
import type { ChaosOptions } from "./options.ts";
import type { Random } from "./random.ts";
import type { ServiceCall, ServiceFaults } from "./service-faults.ts";
import type { Services } from "./services.ts";

/** Kills the cloud during the run. */
export type Killer = {
  /** Milliseconds from each kill until the next process served. */
  readonly recoveries: readonly number[];
  /** How often the process was killed before each step. */
  readonly before: Readonly<Record<string, number>>;
  /** How many cached volumes have lost bytes. */
  damaged(): number;
  onAccepted(count: number): void;
  done(): Promise<void>;
};

export type KillerOptions = {
  cloud: Pick<KillableCloud, "killAndRestart">;
  faults: Pick<ServiceFaults, "hold">;
  services: Services;
  directory: string;
  signal: AbortSignal;
  /** Ids of volumes whose creates the API is being asked for. */
  asking: () => ReadonlySet<string>;
  onKill: (count: number) => void;
};

/** The longest wait for the step before which a kill is to strike. */
const LONGEST_WAIT_MS = 5_000;

/** Steps of the API: each is the last one that a killed process was about to do. */
type Step = (call: ServiceCall, killer: Pick<KillerOptions, "services" | "asking">) => boolean;

const STEPS: Readonly<Record<string, Step>> = {
  "the list entry": ({ service, target, body }, { services }) =>
    service === "dynamodb" && target === "PutItem" && isOn(body, services, "Projects") && body.includes('"volume#'),
  "the record": ({ service, target, body }, { services }) =>
    service === "dynamodb" &&
    target === "PutItem" &&
    isOn(body, services, "Volumes") &&
    body.includes("request_digest"),
  "the cast": ({ service, target, body }, { asking }) =>
    service === "sqs" && target.startsWith("SendMessage") && [...asking()].some((id) => body.includes(id)),
  "the confirmation": ({ service, target, body }, { services }) =>
    service === "dynamodb" &&
    target === "UpdateItem" &&
    isOn(body, services, "Projects") &&
    /"UpdateExpression":"REMOVE /.test(body),
  "the reservation": ({ service, target, body }, { services }) =>
    service === "dynamodb" && target === "UpdateItem" && isOn(body, services, "Projects") && body.includes('"taken"'),
  "the removal": ({ service, target }) => service === "lambda" && target.includes("DeleteVolume"),
};

/** The table by the name of its output without `TableName`. */
function isOn(body: string, { output }: Services, table: string): boolean {
  return body.includes(JSON.stringify(output(`${table}TableName`)));
}

/**
 * Kills at moments that the number of accepted volumes decides, one after the other, each before another step of the API. Cached volumes
 * lose bytes while the process is dead.
 */
export function killerOf(killer: KillerOptions, options: ChaosOptions, random: Random): Killer {
  const { cloud, faults, services, directory, signal } = killer;
  const moments = Array.from({ length: options.kills }, (_, index) =>
    Math.max(1, Math.floor(((index + 0.3 + random.next() * 0.7) / options.kills) * options.volumes)),
  );
  const steps = Object.entries(STEPS);
  const first = random.below(steps.length);
  const recoveries: number[] = [];
  const before: Record<string, number> = {};
  let damaged = 0;
  let last = Promise.resolve();
  const kill = async (number: number, afterMs: number): Promise<void> => {
    await delay(afterMs);
    const cached = await cachedFiles(services, directory, signal);
    const [name, step] = steps[(first + number) % steps.length] ?? ["", () => false];
    const held = await faults.hold((call) => step(call, killer), LONGEST_WAIT_MS);
    const at = held === undefined ? "any other" : name;
    before[at] = (before[at] ?? 0) + 1;
    const restarting = cloud.killAndRestart(async () => {
      held?.release();
      damaged += await truncateFiles(cached);
    });
    recoveries.push(await restarting);
    killer.onKill(recoveries.length);
  };
  return {
    recoveries,
    before,
    damaged: () => damaged,
    onAccepted: (accepted) => {
      while ((moments[0] ?? Number.POSITIVE_INFINITY) <= accepted) {
        moments.shift();
        const number = options.kills - moments.length - 1;
        const afterMs = random.below(500);
        last = last.then(() => kill(number, afterMs));
        // Called when the run waits for it.
        last.catch(() => undefined);
      }
    },
    done: () => last,
  };
}
