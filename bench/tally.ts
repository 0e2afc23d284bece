import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** Services whose endpoints are counted, by the SDK's name for them. */
const SERVICES = ["dynamodb", "sqs", "sns", "s3", "sfn", "lambda"] as const;
type Service = (typeof SERVICES)[number];

/** Counts calls on their way to the services. */
export type Tally = {
  /** Variables that direct an SDK to the tally. */
  readonly environment: Readonly<Record<string, string>>;
  /** By service and action, as `dynamodb UpdateItem`. */
  readonly calls: ReadonlyMap<string, number>;
  readonly writeUnits: number;
  readonly readUnits: number;
  /** Sets the services' addresses; calls wait until then. */
  connect(endpoints: Readonly<Record<Service, string>>): void;
  reset(): void;
  stop(): Promise<void>;
};

const READS = new Set(["GetItem", "BatchGetItem", "Query", "Scan"]);

/** A call in progress. */
export type Call = { service: Service; action: string; accessKeyId: string; path: string; body: Buffer };

/**
 * Starts a forwarder on 127.0.0.1 for each service. It asks DynamoDB for the units that each call consumes, and adds them up.
 *
 * @param onCall sees each call before it is passed on
 */
export async function startTally(onCall: (call: Call) => void = () => {}): Promise<Tally> {
  const calls = new Map<string, number>();
  const units = { write: 0, read: 0 };
  const connected = Promise.withResolvers<Readonly<Record<Service, string>>>();
  const forwarders = await Promise.all(
    SERVICES.map(async (service) => {
      const server = createServer((incoming, answer) => {
        void forward(service, incoming, answer);
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return { service, server, port: (server.address() as AddressInfo).port };
    }),
  );

  async function forward(service: Service, incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = await buffer(incoming);
    const action = actionOf(incoming, body);
    const call = `${service} ${action}`;
    calls.set(call, (calls.get(call) ?? 0) + 1);
    onCall({ service, action, accessKeyId: accessKeyIdOf(incoming), path: incoming.url ?? "/", body });
    const sent = service === "dynamodb" ? askForUnits(body) : body;
    const response = await send((await connected.promise)[service], incoming, sent);
    const received = await buffer(response);
    if (service === "dynamodb") {
      units[READS.has(action) ? "read" : "write"] += unitsOf(received);
    }
    answer.writeHead(response.statusCode ?? 500, response.headers).end(received);
  }

  return {
    environment: Object.fromEntries(
      forwarders.map(({ service, port }) => [`AWS_ENDPOINT_URL_${service.toUpperCase()}`, `http://127.0.0.1:${port}`]),
    ),
    calls,
    get writeUnits() {
      return units.write;
    },
    get readUnits() {
      return units.read;
    },
    connect: connected.resolve,
    reset: () => {
      calls.clear();
      units.write = 0;
      units.read = 0;
    },
    stop: async () => {
      for (const { server } of forwarders) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}

/** JSON protocols name the action in a header, the query protocol in the body, S3 by method and path. */
function actionOf(incoming: IncomingMessage, body: Buffer): string {
  const target = incoming.headers["x-amz-target"];
  if (typeof target === "string") {
    return target.slice(target.lastIndexOf(".") + 1);
  }
  return new URLSearchParams(body.toString()).get("Action") ?? incoming.method ?? "";
}

/** The signer of the call (AWS Signature Version 4). */
function accessKeyIdOf({ headers }: IncomingMessage): string {
  return /Credential=([^/,\s]+)/.exec(headers.authorization ?? "")?.[1] ?? "";
}

function askForUnits(body: Buffer): Buffer {
  const call = JSON.parse(body.toString()) as Record<string, unknown>;
  return Buffer.from(JSON.stringify({ ...call, ReturnConsumedCapacity: "TOTAL" }));
}

function unitsOf(body: Buffer): number {
  const { ConsumedCapacity: consumed } = JSON.parse(body.toString() || "{}") as {
    ConsumedCapacity?: { CapacityUnits: number } | { CapacityUnits: number }[];
  };
  return [consumed ?? []].flat().reduce((sum, { CapacityUnits: each }) => sum + each, 0);
}

function send(target: string, incoming: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
  const { host: _host, "content-length": _length, ...headers } = incoming.headers;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      new URL(incoming.url ?? "/", target),
      { method: incoming.method ?? "POST", headers: { ...headers, "content-length": body.length } },
      resolve,
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
