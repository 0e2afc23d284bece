import { randomUUID } from "node:crypto";
import { idOfKey } from "../core/api/volumes/idempotency.ts";
import { measureThroughput } from "./creates.ts";
import { inFlight, type Rig, startRig } from "./rig.ts";

/** The Block Storage API next to messages to the scheduler, in one cloud: medians of the rounds. */
export type ApiBenchResult = {
  volumes: number;
  in_flight: number;
  message_creates_per_second: number;
  api_creates_per_second: number;
  shows_per_second: number;
  lists_by_name_per_second: number;
};

const IN_FLIGHT = 32;

/** In turns, so that other work of the machine meets both. */
const ROUNDS = 3;

/** The project of requests without a token. */
const PROJECT = "admin";

/** Creates by messages and through the API in turns, then shows and lists by name, without authentication. */
export async function benchApi(volumes: number): Promise<ApiBenchResult> {
  const rig = await startRig();
  try {
    const ask = requestsOf(rig);
    const unlimited = { quota_set: { volumes: -1, gigabytes: -1 } };
    await ask("PUT", `/os-quota-sets/${PROJECT}`, unlimited);
    const keys = Array.from({ length: volumes }, () => randomUUID());
    await measureThroughput(rig, volumes);
    await createsThrough(rig, ask, keys);
    const byMessage: number[] = [];
    const byApi: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      byMessage.push((await measureThroughput(rig, volumes)).creates_per_second);
      byApi.push(
        await createsThrough(
          rig,
          ask,
          Array.from({ length: volumes }, () => randomUUID()),
        ),
      );
    }
    return {
      volumes,
      in_flight: IN_FLIGHT,
      message_creates_per_second: median(byMessage),
      api_creates_per_second: median(byApi),
      shows_per_second: await rate(keys, (key) => ask("GET", `/volumes/${idOfKey(PROJECT, key)}`)),
      lists_by_name_per_second: await rate(keys, (key) => ask("GET", `/volumes/detail?name=${key}`)),
    };
  } finally {
    await rig.stop();
  }
}

type Ask = (method: string, path: string, body?: unknown, key?: string) => Promise<void>;

/** Sends requests to the API. @throws Error for an answer that is not a success */
function requestsOf({ cloud }: Rig): Ask {
  const url = `${cloud.outputs["BlockStorageApiUrl"] ?? ""}/${PROJECT}`;
  return async (method, path, body, key) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { "content-type": "application/json", ...(key !== undefined && { "idempotency-key": key }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) {
      throw new Error(`${method} ${path} is answered by ${response.status}: ${text.slice(0, 200)}`);
    }
  };
}

/** Creates a second, from the request to the end of the execution. The key names the volume and gives it its name. */
function createsThrough(rig: Rig, ask: Ask, keys: readonly string[]): Promise<number> {
  return rate(keys, async (key) => {
    const ended = rig.ended(idOfKey(PROJECT, key));
    await ask("POST", "/volumes", { volume: { size: 1, name: key } }, key);
    await ended;
  });
}

/** Actions a second, with many in flight. */
async function rate(keys: readonly string[], act: (key: string) => Promise<void>): Promise<number> {
  const start = performance.now();
  await inFlight(keys, IN_FLIGHT, act);
  return (keys.length * 1000) / (performance.now() - start);
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}
