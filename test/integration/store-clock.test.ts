import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, it } from "vitest";
import { StoreClock } from "../../adapters/dynamodb/store-clock.ts";

/** A server with a configurable time. */
let date: string | undefined;
const server = createServer((request, response) => {
  response.sendDate = false;
  if (date !== undefined) {
    response.setHeader("date", date);
  }
  request.resume();
  response.setHeader("content-type", "application/x-amz-json-1.0");
  response.end('{"TableNames":[]}');
});
let client: DynamoDBClient;

beforeAll(async () => {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
});

afterAll(async () => {
  client.destroy();
  await new Promise((resolve) => {
    server.close(resolve);
  });
});

const LOCAL = new Date("2026-01-01T00:10:00.000Z");

async function clockAfter(header: string | undefined): Promise<string> {
  date = header;
  const clock = new StoreClock({ now: () => LOCAL });
  clock.follow(client);
  expect(clock.now()).toEqual(LOCAL);
  try {
    await client.send(new ListTablesCommand({}));
  } finally {
    client.middlewareStack.remove("storeClock");
  }
  return clock.now().toISOString();
}

it.each([
  ["is ten minutes behind this machine's", "Thu, 01 Jan 2026 00:00:00 GMT", "2026-01-01T00:00:00.500Z"],
  ["is a day ahead of it", "Fri, 02 Jan 2026 00:10:00 GMT", "2026-01-02T00:10:00.500Z"],
  ["is the same but for its rounding", "Thu, 01 Jan 2026 00:09:58 GMT", LOCAL.toISOString()],
  ["is ignored", undefined, LOCAL.toISOString()],
  ["is not a time", "yesterday", LOCAL.toISOString()],
])("the clock of a store whose time %s", async (_what, header, expected) => {
  expect(await clockAfter(header)).toBe(expected);
});

it("the answer to a request that was frozen with its function for ten minutes does not move the clock", async () => {
  date = "Thu, 01 Jan 2026 00:10:00 GMT";
  // The request is sent at the first look, and its answer is read at the second one.
  const looks = [LOCAL, new Date(LOCAL.getTime() + 600_000)];
  const thawed = new Date(LOCAL.getTime() + 600_001);
  const clock = new StoreClock({ now: () => looks.shift() ?? thawed });
  clock.follow(client);
  try {
    await client.send(new ListTablesCommand({}));
  } finally {
    client.middlewareStack.remove("storeClock");
  }
  expect(clock.now()).toEqual(thawed);
});
