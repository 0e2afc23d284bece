import { describe, expect, it } from "vitest";
import { freePort } from "../../verify/glance/server-process.ts";
import { runChild } from "../support/child.ts";

const COMMAND = "test/statemachine/stepfunctions-local.ts";

describe("npm run test:stepfunctions-local", () => {
  it("says that it cannot run, and where the engine comes from, when no engine answers", async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`;
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
