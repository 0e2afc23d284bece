import { backendHost } from "./backends.ts";
import type { Driver, Drivers } from "../drivers/driver-ports.ts";
import { BackendNotAnswering, describeError } from "../errors.ts";

/** Fails a call that gives no answer in time. */
export type TimeLimit = <Value>(call: Promise<Value>) => Promise<Value>;

/** Drivers whose calls have a time limit, and which backends have exceeded it. */
export type LimitedDrivers = Drivers & {
  /** Whether a call to this backend has had no answer in time. A host may be given with its pool. */
  isSilent(host: string): boolean;
};

/** Calls of one backend that were given up and have not returned, from which on this process asks it no more. */
const MOST_GIVEN_UP = 4;

/**
 * How many calls to each backend a process has given up that have not returned. Each may hold a thread of the process for as long as a
 * mount hangs. A process that serves several backends, one invocation after the other, keeps it for its life.
 */
export type GivenUpCalls = Map<string, number>;

/**
 * The drivers as a net asks them: each call has a time limit, and a backend that has exceeded it once is not asked again. A net lives
 * for one invocation, so the next one asks again. A hanging mount keeps a thread of the process for each call, so one more call to it
 * may block calls to everything else.
 *
 * Late: the call itself continues. It must be safe for its effect to come late, as for a function that timed out.
 *
 * @param givenUp of the process, where that outlives the net
 * @throws BackendNotAnswering, from each call
 */
export function limitDrivers(
  drivers: Drivers,
  timeLimit: TimeLimit,
  givenUp: GivenUpCalls = new Map<string, number>(),
): LimitedDrivers {
  const silent = new Map<string, string>();
  return {
    hosts: drivers.hosts,
    isSilent: (host) => silent.has(backendHost(host)),
    forHost(host) {
      const backend = backendHost(host);
      return limited(drivers.forHost(host), async (name, call) => {
        const reason = silent.get(backend);
        if (reason !== undefined) {
          throw new BackendNotAnswering(backend, reason);
        }
        const pending = givenUp.get(backend) ?? 0;
        if (pending >= MOST_GIVEN_UP) {
          const why = `${pending} earlier calls have not returned`;
          silent.set(backend, why);
          throw new BackendNotAnswering(backend, why);
        }
        let hasAnswered = false;
        const answer = call().finally(() => {
          hasAnswered = true;
        });
        try {
          return await timeLimit(answer);
        } catch (error) {
          if (hasAnswered) {
            throw error;
          }
          const why = `${name}: ${describeError(error).message}`;
          silent.set(backend, why);
          givenUp.set(backend, (givenUp.get(backend) ?? 0) + 1);
          void answer.catch(() => {}).finally(() => void givenUp.set(backend, (givenUp.get(backend) ?? 1) - 1));
          throw new BackendNotAnswering(backend, why);
        }
      });
    },
  };
}

type Around = (name: string, call: () => Promise<unknown>) => Promise<unknown>;

/** The driver with `around` about each method that answers with a promise; a listing is limited by its reader. */
function limited(driver: Driver, around: Around): Driver {
  return new Proxy(driver, {
    get: (target, key) => {
      const member: unknown = Reflect.get(target, key);
      if (typeof member !== "function" || key === "listContents") {
        return typeof member === "function" ? (member.bind(target) as unknown) : member;
      }
      return (...parameters: unknown[]) =>
        around(String(key), async () => Reflect.apply(member, target, parameters) as unknown);
    },
  });
}
