import { expect, it, onTestFinished } from "vitest";
import type { FunctionEmulator } from "../../src/functions/function-emulator.ts";
import { startHttpApi } from "../../src/http-api.ts";

it("answers 503 until the stack is deployed, so that a client repeats its request after a restart", async () => {
  const payload = JSON.stringify({ statusCode: 404, body: "no such volume" });
  const functions: Pick<FunctionEmulator, "invoke"> = { invoke: async () => ({ kind: "succeeded", payload }) };
  const api = await startHttpApi(0, functions as FunctionEmulator);
  onTestFinished(() => api.stop());

  expect((await fetch(`${api.endpoint}/v3/volumes/x`)).status).toBe(503);
  api.route("BlockStorageApi");
  const answer = await fetch(`${api.endpoint}/v3/volumes/x`);
  expect([answer.status, await answer.text()]).toEqual([404, "no such volume"]);
});
