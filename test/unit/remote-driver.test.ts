import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { mockClient } from "aws-sdk-client-mock";
import { describe, expect, it, vi } from "vitest";
import { createDrivers } from "../../adapters/drivers.ts";
import { lambdaDriverCaller } from "../../adapters/lambda/driver-caller.ts";
import { RemoteDriver } from "../../adapters/lambda/remote-driver.ts";
import { createRemoteDrivers } from "../../adapters/lambda/remote-drivers.ts";
import type { Backend } from "../../core/backends/backends.ts";
import { clearVolume } from "../../core/drivers/clear-backend.ts";
import { DriverCallSchema } from "../../core/drivers/driver-call.ts";
import { parseOrThrow } from "../../core/requests/parsing.ts";
import { callDriver } from "../../core/drivers/call-driver.ts";
import { DriverFake } from "../../simulation/driver.ts";
import { aSnapshot, aVolumeInFlow, VOLUME_ID } from "../support/builders.ts";

const HOST = "node@files";
const FENCE = `${VOLUME_ID}-a1`;

const backend = (changes: Partial<Backend> = {}): Backend => ({
  host: HOST,
  driver: "file",
  availability_zone: "nova",
  options: { directory: "/mnt/volumes/files" },
  capabilities: {},
  reserved_percentage: 0,
  max_over_subscription_ratio: null,
  ...changes,
});

/** A driver behind CallDriver: every request passes through JSON and the function's own check. */
function remote(
  driver: DriverFake,
  around: (answer: () => Promise<unknown>) => Promise<unknown> = (answer) => answer(),
) {
  const drivers = { hosts: [HOST], forHost: () => driver };
  return new RemoteDriver(HOST, driver.fencesAttempts, (request) =>
    around(() =>
      callDriver({ drivers }, parseOrThrow(DriverCallSchema, JSON.parse(JSON.stringify(request)), "driver call")),
    ),
  );
}

describe("a remote driver", () => {
  const withVolume = (): DriverFake => {
    const driver = new DriverFake();
    driver.volumes.set(VOLUME_ID, { from: "nothing" });
    return driver;
  };

  it("clears a backend as the driver itself does: close, delete, look", async () => {
    const driver = withVolume();
    await clearVolume(remote(driver), VOLUME_ID, FENCE);
    expect(await driver.findVolume(VOLUME_ID, FENCE)).toBe("absent");
    await expect(
      driver.createVolume(aVolumeInFlow(), { checkpoint: null, remainingTimeMs: () => 1 }),
    ).rejects.toMatchObject({ name: "AttemptClosed" });
  });

  it("deletes a snapshot as the driver itself does, and closes it for a late creation", async () => {
    const driver = withVolume();
    const snapshot = aSnapshot();
    await driver.createSnapshot(snapshot);
    expect(await remote(driver).findSnapshot(snapshot.id)).toBe("present");
    await remote(driver).closeSnapshot(snapshot.id);
    await remote(driver).deleteSnapshot(snapshot.id);
    expect(await remote(driver).findSnapshot(snapshot.id)).toBe("absent");
    await expect(driver.createSnapshot(snapshot)).rejects.toMatchObject({ name: "AttemptClosed" });
  });

  it("clears it when every call arrives twice", async () => {
    const driver = withVolume();
    const twice = async (answer: () => Promise<unknown>): Promise<unknown> => {
      await answer();
      return answer();
    };
    await clearVolume(remote(driver, twice), VOLUME_ID, FENCE);
    expect(await driver.findVolume(VOLUME_ID, FENCE)).toBe("absent");
  });

  it("clears it in a second run when the answer of a first one is lost", async () => {
    const driver = withVolume();
    const lost = remote(driver, async (answer) => {
      await answer();
      throw new Error("socket hang up");
    });
    await expect(clearVolume(lost, VOLUME_ID, FENCE)).rejects.toThrow("socket hang up");
    await clearVolume(remote(driver), VOLUME_ID, FENCE);
    expect(await driver.findVolume(VOLUME_ID, FENCE)).toBe("absent");
  });

  it("says nothing about the backend when the answer is not one of the two words", async () => {
    const driver = new RemoteDriver(HOST, true, async () => null);
    await expect(driver.findVolume(VOLUME_ID, FENCE)).rejects.toThrow("CallDriver answered null to findVolume");
    expect(await driver.initialized()).toBe(false);
  });

  it("extends a volume by its record", async () => {
    const driver = withVolume();
    const extend = vi.spyOn(driver, "extendVolume").mockResolvedValue();
    const volume = aVolumeInFlow();
    await remote(driver).extendVolume(volume, 5);
    expect(extend).toHaveBeenCalledWith(volume, 5);
  });

  it("creates nothing", async () => {
    await expect(remote(withVolume()).createVolume()).rejects.toThrow("is not called from outside the network");
    await expect(remote(withVolume()).listContents().next()).rejects.toThrow("listContents is not called");
  });
});

describe("the function CallDriver", () => {
  it.each([
    [{ call: "createVolume", host: HOST, volume_id: VOLUME_ID, fence: null }],
    [{ call: "deleteVolume", host: HOST, volume_id: "../x", fence: null }],
    [{ call: "deleteVolume", host: "", volume_id: VOLUME_ID, fence: null }],
    [{ call: "deleteVolume", host: HOST, volume_id: VOLUME_ID }],
    [null],
  ])("refuses %j", (request) => {
    expect(() => parseOrThrow(DriverCallSchema, request, "driver call")).toThrow(/driver call/);
  });
});

describe("the remote drivers of a configuration", () => {
  const never = async (): Promise<never> => {
    throw new Error("called");
  };

  it.each([
    backend(),
    backend({
      driver: "fault",
      options: { driver: "file", options: { directory: "/tmp/d" }, state_directory: "/tmp/f", faults: [] },
    }),
  ])("say of attempts what the driver itself says: $driver", (configured) => {
    const local = createDrivers([configured]).forHost(HOST);
    expect(createRemoteDrivers([configured], [], never).forHost(`${HOST}#pool`).fencesAttempts).toBe(
      local.fencesAttempts,
    );
  });

  it("have no driver for a host that is not configured, or whose options are wrong", () => {
    const wrong = backend({ host: "node@wrong", options: { directory: 7 } });
    const drivers = createRemoteDrivers([backend(), wrong], [], never);
    expect(drivers.hosts).toEqual([HOST, "node@wrong"]);
    for (const host of ["node@other", "node@wrong"]) {
      expect(() => drivers.forHost(host)).toThrow(expect.objectContaining({ name: "DriverNotInitialized" }) as Error);
    }
  });
});

describe("a call by Lambda", () => {
  const lambda = mockClient(LambdaClient);
  const call = lambdaDriverCaller({ client: new LambdaClient({}), functionName: "call-driver", timeoutMs: 30_000 });
  const request = { call: "findVolume", host: HOST, volume_id: VOLUME_ID, fence: FENCE } as const;
  const answers = (payload: unknown, error?: string) =>
    lambda.on(InvokeCommand).resolves({
      Payload: Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload)) as never,
      ...(error !== undefined && { FunctionError: error }),
    });

  it("is a synchronous invocation whose answer is the driver's", async () => {
    answers(JSON.stringify("absent"));
    expect(await call(request)).toBe("absent");
    const [sent] = lambda.commandCalls(InvokeCommand);
    expect(sent?.args[0].input.FunctionName).toBe("call-driver");
    const { Payload: payload } = sent?.args[0].input ?? {};
    expect(JSON.parse((payload as Buffer).toString())).toEqual(request);
    expect(sent?.args.slice(1)).toMatchObject([{ abortSignal: expect.any(AbortSignal) as AbortSignal }]);
  });

  it.each([
    ["the driver's own", { errorType: "VolumeBackendAPIException", errorMessage: "full" }, "VolumeBackendAPIException"],
    ["a time-out's", { errorType: "Sandbox.Timedout", errorMessage: "Task timed out" }, "Sandbox.Timedout"],
    ["Lambda's unknown one", {}, "Lambda.Unknown"],
  ])("fails under %s name", async (_whose, payload, name) => {
    answers(payload, "Unhandled");
    await expect(call(request)).rejects.toMatchObject({ name });
  });

  it("fails when the answer is not JSON", async () => {
    answers("<html>");
    await expect(call(request)).rejects.toMatchObject({ name: "Lambda.Unknown" });
  });

  it("fails under the SDK's name when Lambda does not take the invocation", async () => {
    lambda.on(InvokeCommand).rejects(Object.assign(new Error("rate"), { name: "TooManyRequestsException" }));
    await expect(call(request)).rejects.toMatchObject({ name: "TooManyRequestsException" });
  });
});
