import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { runChild } from "../support/child.ts";

const COMMAND = "test/statemachine/stepfunctions-local.ts";

/** A port without a listener: one that was free a moment ago. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

describe("npm run test:stepfunctions-local", () => {
  it("says that it cannot run, and where the engine comes from, when no engine answers", async () => {
    const endpoint = `http://127.0.0.1:${await closedPort()}`;
    const run = await runChild(COMMAND, [], { STEPFUNCTIONS_ENDPOINT: endpoint, LAMBDA_PORT: "0" });
    expect(run).toMatchObject({ status: 1, stdout: "" });
    expect(run.stderr).toContain(`cannot run: no Step Functions engine answers at STEPFUNCTIONS_ENDPOINT=${endpoint}`);
    expect(run.stderr).toContain("docs/embedded-cloud.md");
  });

  it.each([
    [{}, "STEPFUNCTIONS_ENDPOINT is not set."],
    [{ STEPFUNCTIONS_ENDPOINT: "nowhere" }, "STEPFUNCTIONS_ENDPOINT is not a valid URL: nowhere."],
  ])("shows its usage with %j", async (environment, message) => {
    const run = await runChild(COMMAND, [], environment);
    expect(run.status).toBe(1);
    expect(run.stderr).toContain(message);
    expect(run.stderr).toContain("java -jar StepFunctionsLocal.jar");
  });
});
