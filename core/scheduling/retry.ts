/** Retry bookkeeping of a request (`cinder/scheduler/filter_scheduler.py`, `_populate_retry` and `_add_retry_backend`). */

import { NoValidBackend } from "../errors.ts";
import type { FilterProperties, Retry } from "./request.ts";

/** A request at the start of a scheduling. */
export type PopulatedRetry = {
  /** With the retry counted up, also when it was once too often; without any retry when rescheduling is off. */
  filterProperties: FilterProperties;
  /** The failed attempt's `retry.exc`, for the log; it is no longer in the properties. Null if there was none. */
  exc: unknown;
  /** The backend that `exc` came from, as far as the retry says. */
  lastBackend: string | null;
  /** Not null if the attempts are used up: the scheduling ends here. */
  noValidBackend: NoValidBackend | null;
};

/**
 * Counts the attempt that is about to be scheduled. Not to be repeated on its own result: each call is one more attempt.
 *
 * With `maxAttempts` 1 the retry is removed, and without a retry the request is not rescheduled. A retry without a usable `num_attempts`,
 * on which Cinder fails, counts as many attempts as it lists backends.
 */
export function populateRetry(
  filterProperties: FilterProperties,
  maxAttempts: number,
  volumeId: string,
): PopulatedRetry {
  const { retry, ...others } = filterProperties;
  if (maxAttempts === 1) {
    return { filterProperties: others, exc: null, lastBackend: null, noValidBackend: null };
  }
  const { exc = null, ...counted } = countUp(retry);
  const tried = listedBackends(counted);
  return {
    filterProperties: { ...others, retry: counted },
    exc,
    lastBackend: tried.at(-1) ?? null,
    noValidBackend:
      counted.num_attempts > maxAttempts
        ? new NoValidBackend(`Exceeded max scheduling attempts ${maxAttempts} for resource ${volumeId}`)
        : null,
  };
}

function countUp(retry: Retry | null | undefined): Retry & { num_attempts: number } {
  if (!isStarted(retry)) {
    return { num_attempts: 1, backends: [], hosts: [] };
  }
  return { ...retry, num_attempts: attemptsSoFar(retry) + 1 };
}

/** An empty retry counts as none. */
function isStarted(retry: Retry | null | undefined): retry is Retry {
  return retry !== null && retry !== undefined && Object.keys(retry).length > 0;
}

function attemptsSoFar(retry: Retry): number {
  const { num_attempts: attempts } = retry;
  return Number.isSafeInteger(attempts) && attempts !== undefined && attempts >= 0
    ? attempts
    : listedBackends(retry).length;
}

function listedBackends(retry: Retry): readonly string[] {
  return (retry.backends === undefined ? retry.hosts : retry.backends) ?? [];
}

/**
 * The number of the attempt that a request asks for, before it is counted up: its retries, and the attempts before it was sent
 * again by hand, which do not count against the limit. Something that is not a number counts as none.
 */
export function attemptOfRequest(filterProperties: FilterProperties): number {
  const { retry } = filterProperties;
  const before = retry?.[ATTEMPTS_BEFORE];
  const counted = isStarted(retry) ? attemptsSoFar(retry) + 1 : 1;
  const isCount =
    typeof before === "number" && Number.isInteger(before) && before >= 0 && before <= MOST_ATTEMPTS_BEFORE;
  return counted + (isCount ? before : 0);
}

/** More attempts than any setting allows; a message that claims more is not Cinder's. */
export const MOST_ATTEMPTS = 1_000;

/** More than any number of manual redrives, and small enough that every number after it is exact. */
export const MOST_ATTEMPTS_BEFORE = 1_000_000;

/** Key in the retry of a request that was sent again by hand: how many attempts its volume had before. */
export const ATTEMPTS_BEFORE = "attempts_before_redrive";

/** The retry of a request that is sent again by hand as that attempt: no backend is tried yet, and the count begins again. */
export function redrivenRetry(attempt: number): Retry {
  return { num_attempts: 0, backends: [], hosts: [], [ATTEMPTS_BEFORE]: attempt - 1 };
}

/** The properties with the chosen backend noted in each of `retry.hosts` and `retry.backends` that exists. */
export function addRetryBackend(filterProperties: FilterProperties, backendId: string): FilterProperties {
  const { retry } = filterProperties;
  if (!isStarted(retry)) {
    return filterProperties;
  }
  return {
    ...filterProperties,
    retry: {
      ...retry,
      ...(retry.hosts ? { hosts: [...retry.hosts, backendId] } : {}),
      ...(retry.backends ? { backends: [...retry.backends, backendId] } : {}),
    },
  };
}
