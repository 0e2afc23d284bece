import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { randomOf } from "./random.ts";

/** Services that the functions call, by the SDK's name for them. */
const SERVICES = ["dynamodb", "sqs", "sns", "s3", "sfn", "lambda"] as const;
/** The Block Storage API, which the clients call. */
const API = "api";
type Service = (typeof SERVICES)[number] | typeof API;

/** Marks an answer that no function has given. */
export const INJECTED_HEADER = "x-chaos-injected";

/** A call of a service, before it reaches it. */
export type ServiceCall = { service: Service; target: string; body: string };

/**
 * Effects of a fault on a call of a service.
 *
 * - `unavailable`: status 503, and the call never reached the service.
 * - `lost answer`: the service did it, and the connection breaks.
 * - `slow`: the answer takes up to {@link SLOWEST_MS} longer.
 */
const KINDS = ["unavailable", "lost answer", "slow"] as const;

const SLOWEST_MS = 500;

/** Stands between the functions and the services of the cloud, and fails calls at a rate. */
export type ServiceFaults = {
  /** Variables that direct an SDK to it. */
  readonly environment: Record<string, string>;
  /** How often each kind has struck, as `dynamodb: lost answer`. */
  readonly counts: ReadonlyMap<string, number>;
  /** Address of the Block Storage API behind it. */
  readonly apiUrl: () => string;
  /** From now on calls for which this holds never reach their service: each is answered with 503. */
  refuse(matches: (call: ServiceCall) => boolean): void;
  /**
   * Holds the next call for which this holds, before it reaches its service. Resolves when one is held; undefined when none has come in the
   * given time. The held call's connection breaks when `release` is called.
   */
  hold(
    matches: (call: ServiceCall) => boolean,
    milliseconds: number,
  ): Promise<{ call: ServiceCall; release: () => void } | undefined>;
  connect(endpoints: Readonly<Record<string, string>>): void;
  stop(): void;
};

/** Starts a forwarder on 127.0.0.1 for each service. It outlives the cloud, as a network outlives a host. */
export async function startServiceFaults(seed: number, rate: number): Promise<ServiceFaults> {
  const random = randomOf(seed);
  const counts = new Map<string, number>();
  let endpoints: Readonly<Record<string, string>> = {};
  const refusals: ((call: ServiceCall) => boolean)[] = [];
  const holds = new Set<Hold>();

  const answer = async (service: Service, incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const kind = random.chance(rate) ? random.pick(KINDS) : undefined;
    if (kind !== undefined) {
      counts.set(`${service}: ${kind}`, (counts.get(`${service}: ${kind}`) ?? 0) + 1);
    }
    const body = await buffer(incoming);
    const call = callOf(service, incoming, body);
    if (kind === "unavailable" || refusals.some((matches) => matches(call))) {
      response.writeHead(503, { [INJECTED_HEADER]: "unavailable" }).end();
      return;
    }
    for (const hold of [...holds].filter(({ matches }) => matches(call))) {
      holds.delete(hold);
      await new Promise<void>((release) => hold.take({ call, release }));
      response.destroy();
      return;
    }
    const answered = await forward(endpoints[service] ?? "", incoming, body);
    if (kind === "lost answer") {
      response.destroy();
      return;
    }
    if (kind === "slow") {
      await delay(random.below(SLOWEST_MS));
    }
    response.writeHead(answered.status, answered.headers).end(answered.body);
  };
  const behind: readonly Service[] = [...SERVICES, API];
  const servers = await Promise.all(
    behind.map((service) =>
      // The cloud may be dead by now, and so may the caller.
      listen((incoming, response) => void answer(service, incoming, response).catch(() => response.destroy())),
    ),
  );
  return {
    environment: Object.fromEntries(
      SERVICES.map((service, index) => [
        `AWS_ENDPOINT_URL_${service.toUpperCase()}`,
        `http://127.0.0.1:${servers[index]?.port}`,
      ]),
    ),
    counts,
    apiUrl: () => `http://127.0.0.1:${servers.at(-1)?.port}`,
    refuse: (matches) => void refusals.push(matches),
    hold: (matches, milliseconds) =>
      new Promise((resolve) => {
        const hold = { matches, take: resolve };
        holds.add(hold);
        setTimeout(() => {
          holds.delete(hold);
          // Without effect when a call is held.
          resolve(undefined);
        }, milliseconds);
      }),
    connect: (to) => {
      endpoints = to;
    },
    stop: () => {
      for (const { server } of servers) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

type Hold = {
  matches: (call: ServiceCall) => boolean;
  take: (held: { call: ServiceCall; release: () => void }) => void;
};

/** The operation of the call: the target of the JSON protocols, or the path of the others. */
function callOf(service: Service, { headers, url }: IncomingMessage, body: Buffer): ServiceCall {
  const target = String(headers["x-amz-target"] ?? "").replace(/^.*\./, "") || (url ?? "");
  // An upload to S3 is of no interest here.
  return { service, target, body: service === "s3" ? "" : body.toString("utf8") };
}

async function listen(
  handle: (incoming: IncomingMessage, response: ServerResponse) => void,
): Promise<{ server: Server; port: number }> {
  const server = createServer(handle);
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

type Answer = { status: number; headers: IncomingMessage["headers"]; body: Buffer };

async function answerOf(response: IncomingMessage): Promise<Answer> {
  const { "transfer-encoding": _encoding, ...headers } = response.headers;
  return { status: response.statusCode ?? 500, headers, body: await buffer(response) };
}

function forward(target: string, incoming: IncomingMessage, body: Buffer): Promise<Answer> {
  const { host: _host, "content-length": _length, expect: _expect, ...headers } = incoming.headers;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      new URL(incoming.url ?? "/", target),
      { method: incoming.method ?? "POST", headers: { ...headers, "content-length": body.length } },
      (response) => void answerOf(response).then(resolve, reject),
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
