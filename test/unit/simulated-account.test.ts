import { beforeEach, describe, expect, it } from "vitest";
import { Account, START } from "../../simulation/account.ts";
import { givenUpCalls } from "../../simulation/composition.ts";
import { simulate } from "../../simulation/current-account.ts";
import { type FunctionHandler, giveEnvironment, takeEnvironment } from "../../simulation/functions.ts";
import { StateFailure } from "../../simulation/walker.ts";
import { withTimeLimit } from "../../simulation/virtual-time-limit.ts";

/** The simulated account has processes of functions as Lambda has them. */

const HOST = "host@first";

let account: Account;

/** Runs one invocation of a function, in the same environment as any earlier one. @returns its result, or its error's name */
async function invoke(handler: FunctionHandler): Promise<unknown> {
  environment = handler;
  let outcome: unknown;
  account.time.after(0, () => {
    const work = account.invoke("ReportBackends", {}, "ReportBackends#1");
    void (async () => {
      outcome = await work.catch((error: unknown) => error);
    })();
  });
  await account.time.run(() => false);
  return outcome instanceof StateFailure ? outcome.error : outcome;
}

let environment: FunctionHandler = async () => null;
const givesUpACall: FunctionHandler = async () => {
  givenUpCalls().set(HOST, (givenUpCalls().get(HOST) ?? 0) + 1);
  return givenUpCalls().get(HOST);
};

beforeEach(() => {
  account = new Account({ definition: { StartAt: "None", States: {} }, queues: [], rules: [] }, 1);
  simulate(account);
  giveEnvironment("ReportBackends", (...parameters) => environment(...parameters));
  return () => takeEnvironment("ReportBackends");
});

describe("a process of a simulated function", () => {
  it("remembers the calls that its earlier invocations have given up", async () => {
    expect(await invoke(givesUpACall)).toBe(1);
    expect(await invoke(givesUpACall)).toBe(2);
  });

  it("takes its memory with it when it times out", async () => {
    expect(await invoke(givesUpACall)).toBe(1);
    const hangs: FunctionHandler = async (...parameters) => {
      await givesUpACall(...parameters);
      return new Promise(() => {});
    };
    expect(await invoke(hangs)).toBe("Sandbox.Timedout");
    expect(await invoke(givesUpACall)).toBe(1);
  });

  it("does not continue after its end when a time limit passes", async () => {
    const events: string[] = [];
    const waits: FunctionHandler = async () => {
      await withTimeLimit(new Promise(() => {}), 900_000).catch(() => events.push(account.now().toISOString()));
      return "continued";
    };
    expect(await invoke(waits)).toBe("Sandbox.Timedout");
    expect(account.now().getTime()).toBe(Date.parse(START) + 900_000);
    expect(events).toEqual([]);
  });
});
