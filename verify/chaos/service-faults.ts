import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { randomOf } from "./random.ts";

/** Services that the functions call, by the SDK's name for them. */
const SERVICES = ["dynamodb", "sqs", "sns", "s3", "sfn"] as const;
type Service = (typeof SERVICES)[number];

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
  connect(endpoints: Readonly<Record<string, string>>): void;
  /** No call fails any more. */
  calm(): void;
  stop(): void;
};

/** Starts a forwarder on 127.0.0.1 for each service. It outlives the cloud, as a network outlives a host. */
export async function startServiceFaults(seed: number, rate: number): Promise<ServiceFaults> {
  const random = randomOf(seed);
  const counts = new Map<string, number>();
  let endpoints: Readonly<Record<string, string>> = {};
  let calm = false;

  const answer = async (service: Service, incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const kind = !calm && random.chance(rate) ? random.pick(KINDS) : undefined;
    if (kind !== undefined) {
      counts.set(`${service}: ${kind}`, (counts.get(`${service}: ${kind}`) ?? 0) + 1);
    }
    const body = await buffer(incoming);
    if (kind === "unavailable") {
      response.writeHead(503).end();
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
  const servers = await Promise.all(
    SERVICES.map((service) =>
      // The cloud may be dead by now, and so may the caller.
      listen((incoming, response) => void answer(service, incoming, response).catch(() => response.destroy())),
    ),
  );
  return {
    environment: Object.fromEntries(
      servers.map(({ port }, index) => [
        `AWS_ENDPOINT_URL_${(SERVICES[index] ?? "").toUpperCase()}`,
        `http://127.0.0.1:${port}`,
      ]),
    ),
    counts,
    connect: (to) => {
      endpoints = to;
    },
    calm: () => {
      calm = true;
    },
    stop: () => {
      for (const { server } of servers) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
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
