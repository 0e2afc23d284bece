import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { connectApi } from "../../verify/chaos/api.ts";
import { startServiceFaults } from "../../verify/chaos/service-faults.ts";

/** The forwarder before a service that counts what reaches it, and gives these answers one after the other. */
async function started(...statuses: number[]) {
  const reached: { key: string | undefined; body: string }[] = [];
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = (await buffer(incoming)).toString();
    reached.push({ key: String(incoming.headers["idempotency-key"]), body });
    response.writeHead(statuses[reached.length - 1] ?? 202, { "x-openstack-request-id": `req-${reached.length}` });
    response.end(JSON.stringify({ volume: { id: "1" } }));
  };
  const server = createServer((incoming, response) => void answer(incoming, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const faults = await startServiceFaults(1, 0);
  onTestFinished(() => {
    faults.stop();
    server.close();
    server.closeAllConnections();
  });
  faults.connect({ api: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  return { faults, reached, api: connectApi(faults.apiUrl(), new AbortController().signal) };
}

const CREATE = { project: "p", method: "POST", path: "/volumes", body: { volume: { name: "one" } }, key: "one" };

test("a create is repeated with its key until it is answered, and each 5xx of the service is kept with its request's id", async () => {
  const { api, reached } = await started(500, 503);
  expect(await api.ask(CREATE)).toMatchObject({ status: 202, tries: 3 });
  expect(reached.map(({ key }) => key)).toEqual(["one", "one", "one"]);
  expect(api.failures.map(({ status, requestId }) => [status, requestId])).toEqual([
    [500, "req-1"],
    [503, "req-2"],
  ]);
  expect(api.counts).toMatchObject({ requests: 3, "answers with 5xx": 2, "repeated creates": 2 });
});

test("a call that is refused never reaches its service, and does not count as a failure of the product", async () => {
  const { api, faults, reached } = await started();
  faults.refuse(({ service, body }) => service === "api" && body.includes("one"));
  expect(await api.askOnce(CREATE)).toMatchObject({ status: 503 });
  expect(reached).toEqual([]);
  expect(api.failures).toEqual([]);
});

test("a call that is held does not reach its service, and its answer is lost when it is released", async () => {
  const { api, faults, reached } = await started();
  const holding = faults.hold(({ service, target }) => service === "api" && target.includes("/volumes"), 60_000);
  const answer = api.askOnce(CREATE);
  const held = await holding;
  expect(held?.call.body).toContain("one");
  expect(reached).toEqual([]);
  held?.release();
  expect(await answer).toBeUndefined();
  expect(reached).toEqual([]);
  expect(await api.askOnce(CREATE)).toMatchObject({ status: 202 });
});

test("a hold ends when no such call comes", async () => {
  const { faults } = await started();
  expect(await faults.hold(() => false, 10)).toBeUndefined();
});
