import { backendHost } from "../backends.ts";
import type { Driver, Drivers } from "../driver-ports.ts";
import { BackendNotAnswering, describeError } from "../errors.ts";

/** Fails a call that gives no answer in time. */
export type TimeLimit = <Value>(call: Promise<Value>) => Promise<Value>;

/** Drivers whose calls have a time limit, and which backends have exceeded it. */
export type LimitedDrivers = Drivers & {
  /** Whether a call to this backend has had no answer in time. A host may be given with its pool. */
  isSilent(host: string): boolean;
};

/**
 * The drivers as a net asks them: each call has a time limit, and a backend that has exceeded it once is not asked again. A net lives
 * for one invocation, so the next one asks again. A hanging mount keeps a thread of the process for each call, so one more call to it
 * may block calls to everything else.
 *
 * Late: the call itself goes on. It must be safe for its effect to come late, as for a function that timed out.
 *
 * @throws BackendNotAnswering, from each call
 */
export function limitDrivers(drivers: Drivers, timeLimit: TimeLimit): LimitedDrivers {
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
