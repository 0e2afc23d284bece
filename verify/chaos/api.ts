import { setTimeout as delay } from "node:timers/promises";
import { INJECTED_HEADER } from "./service-faults.ts";

/** The Block Storage API as a client sees it whose requests and answers may be lost. */
export type Api = {
  /**
   * Sends a request and repeats it, with the same key, while its answer is lost or is 5xx.
   *
   * @param key the header Idempotency-Key
   * @throws the signal's reason; Error when it is not answered within ten minutes
   */
  ask(request: ApiRequest): Promise<ApiAnswer>;
  /** Sends a request once. Undefined when its answer was lost. */
  askOnce(request: ApiRequest): Promise<ApiAnswer | undefined>;
  /** Answers with 5xx that a function of the product gave, or that its HTTP API gave for a function that failed. */
  readonly failures: ApiFailure[];
  /** How often each thing has happened. */
  readonly counts: Record<"requests" | "answers lost" | "answers with 5xx" | "repeated creates", number>;
};

/** A request of one project. `path` begins after the project's id. */
export type ApiRequest = { project: string; method: string; path: string; body?: unknown; key?: string };

/** An answer; `tries` counts the requests that it took. */
export type ApiAnswer = { status: number; body: Record<string, unknown>; tries: number };

/** An answer with 5xx. `requestId` is null where no function has answered. */
export type ApiFailure = { request: string; status: number; requestId: string | null; message: string };

/** On a machine that is so busy that each call of the function ends by its time-out, and then some. */
const LONGEST_MS = 600_000;
const PAUSE_MS = 100;
const ANSWER_MS = 30_000;

/**
 * @param url address of the API without a project, such as `http://127.0.0.1:1/v3`
 * @param isRestarting whether the cloud has been killed and does not serve yet: its HTTP API answers 503 then
 */
export function connectApi(url: string, signal: AbortSignal, isRestarting: () => boolean = () => false): Api {
  const counts: Api["counts"] = { requests: 0, "answers lost": 0, "answers with 5xx": 0, "repeated creates": 0 };
  const failures: ApiFailure[] = [];
  const askOnce: Api["askOnce"] = async (request) => {
    counts.requests += 1;
    const wasRestarting = isRestarting();
    const response = await send(url, request, signal);
    if (response === undefined) {
      counts["answers lost"] += 1;
      return undefined;
    }
    const { status, injected, requestId, text } = response;
    if (status >= 500) {
      counts["answers with 5xx"] += 1;
      if (!injected && !(requestId === null && (wasRestarting || isRestarting()))) {
        failures.push({ request: `${request.method} ${request.path}`, status, requestId, message: messageIn(text) });
      }
    }
    return { status, body: parsedObject(text), tries: 1 };
  };
  const ask: Api["ask"] = async (request) => {
    const deadline = Date.now() + LONGEST_MS;
    for (let tries = 1; ; tries += 1) {
      signal.throwIfAborted();
      const answer = await askOnce(request);
      if (answer !== undefined && answer.status < 500) {
        return { ...answer, tries };
      }
      if (Date.now() > deadline) {
        throw new Error(`${request.method} ${request.path} was not answered in ${LONGEST_MS / 1000} s`);
      }
      counts["repeated creates"] += request.key === undefined ? 0 : 1;
      await delay(PAUSE_MS);
    }
  };
  return { ask, askOnce, failures, counts };
}

type Response = { status: number; injected: boolean; requestId: string | null; text: string };

async function send(url: string, request: ApiRequest, signal: AbortSignal): Promise<Response | undefined> {
  const { project, method, path, body, key } = request;
  try {
    const response = await fetch(`${url}/${project}${path}`, {
      method,
      headers: {
        "content-type": "application/json",
        "x-auth-token": `${project}:${project}`,
        ...(key !== undefined && { "idempotency-key": key }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    });
    return {
      status: response.status,
      injected: response.headers.has(INJECTED_HEADER),
      requestId: response.headers.get("x-openstack-request-id"),
      text: await response.text(),
    };
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** The message of a fault in Cinder's form, or the text as it is. */
function messageIn(text: string): string {
  const { computeFault } = parsedObject(text) as { computeFault?: { message?: string } };
  return computeFault?.message ?? text.slice(0, 300);
}

/** The JSON object that a text is; an empty one for any other text. */
export function parsedObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
