import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { InvokeCommand } from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type CloudUnderTest,
  deploy,
  functionWithSource,
  inlineFunction,
  temporaryDirectory,
  until,
} from "../support/fixtures.ts";

const lines: string[] = [];
let under: CloudUnderTest;

beforeAll(async () => {
  const sleep = "await new Promise((resolve) => setTimeout(resolve, event.ms));";
  // Invocations in the same thread as one that times out after a second must not time out themselves.
  const Timeout = 120;
  under = await deploy(
    {
      First: inlineFunction(`${sleep} console.log('from first'); return process.env.NAME;`, {
        Environment: { Variables: { NAME: "first" } },
        Timeout,
      }),
      Second: inlineFunction(`${sleep} return process.env.NAME;`, {
        Environment: { Variables: { NAME: "second" } },
        Timeout,
      }),
      Spawns: inlineFunction(
        "return require('node:child_process').execFileSync(process.execPath, ['-p', 'process.env.NAME']).toString().trim();",
        { Environment: { Variables: { NAME: "child" } } },
      ),
      Counts: functionWithSource("let count = 0; exports.handler = async () => ++count;"),
      Slow: inlineFunction("await new Promise(() => {});", { Timeout: 1 }),
      Beats: inlineFunction(
        "setInterval(() => require('node:fs').appendFileSync(event.file, 'x'), 5); await new Promise(() => {});",
        { Timeout: 1 },
      ),
      Tries: inlineFunction(
        "const fs = require('node:fs'); fs.appendFileSync(event.file, 'x'); if (fs.statSync(event.file).size === 1) await new Promise(() => {}); return 'done';",
        { Timeout },
      ),
      Exits: inlineFunction("process.exit(1);"),
      Throws: inlineFunction("setImmediate(() => { throw new TypeError('later'); }); await new Promise(() => {});"),
      Secret: inlineFunction("return Object.keys(process.env).filter((name) => name.startsWith('VITEST'));"),
    },
    { sharedThreads: 1, environmentsPerFunction: 1, logSink: (line) => void lines.push(line) },
  );
});

afterAll(async () => {
  await under.cloud.stop();
});

async function invoke(functionId: string, payload: unknown = {}): Promise<unknown> {
  const { Payload } = await under.lambda.send(
    new InvokeCommand({ FunctionName: `Stack-${functionId}`, Payload: Buffer.from(JSON.stringify(payload)) }),
  );
  return JSON.parse(Buffer.from(Payload ?? []).toString());
}

describe("functions that share a thread", () => {
  it("see their own variables, while others run", async () => {
    const answers = await Promise.all([invoke("First", { ms: 60 }), invoke("Second", { ms: 20 })]);
    expect(answers).toEqual(["first", "second"]);
  });

  it("give their variables to the processes that they start", async () => {
    expect(await invoke("Spawns")).toBe("child");
  });

  it("see nothing of the variables of the process", async () => {
    expect(await invoke("Secret")).toEqual([]);
  });

  it("log under their own names", async () => {
    await invoke("First", { ms: 0 });
    expect(lines).toContain("Stack-First: from first");
  });

  it("keep their module's state", async () => {
    const first = await invoke("Counts");
    expect(await invoke("Counts")).toBe(Number(first) + 1);
  });

  it("time out alone: other invocations of the thread continue, and the next invocation has a new thread", async () => {
    await invoke("Counts");
    const before = await invoke("Counts");
    const [timedOut, beside] = await Promise.all([invoke("Slow"), invoke("Second", { ms: 1500 })]);
    expect(timedOut).toMatchObject({ errorType: "Sandbox.Timedout" });
    expect(beside).toBe("second");
    expect(Number(await invoke("Counts"))).toBeLessThan(Number(before));
  });

  it("do nothing after their time-out, whatever else runs in their thread", async () => {
    using directory = temporaryDirectory();
    const file = path.join(directory.path, "beats");
    const [timedOut, beside] = await Promise.all([invoke("Beats", { file }), invoke("Second", { ms: 1500 })]);
    expect(timedOut).toMatchObject({ errorType: "Sandbox.Timedout" });
    expect(beside).toBe("second");
    // Not at the answer: what the thread had handed to the operating system by then is still done.
    const { size } = statSync(file);
    await new Promise((resolve) => {
      setTimeout(resolve, 300);
    });
    expect(statSync(file).size).toBe(size);
  });

  it("are invoked again when the time-out of another one ends their thread, and answer once", async () => {
    using directory = temporaryDirectory();
    const file = path.join(directory.path, "tries");
    const answer = invoke("Tries", { file });
    await until(() => existsSync(file));
    expect(await invoke("Slow")).toMatchObject({ errorType: "Sandbox.Timedout" });
    expect([await answer, statSync(file).size]).toEqual(["done", 2]);
  });

  it.each([
    ["Exits", "Runtime.ExitError"],
    ["Throws", "TypeError"],
  ])("fail together when one (%s) takes the thread down, and work again after it", async (functionId, errorType) => {
    const [crash, beside] = await Promise.all([invoke(functionId), invoke("Second", { ms: 1500 })]);
    expect(crash).toMatchObject({ errorType });
    expect(beside === "second" || (beside as { errorType: string }).errorType === "Runtime.ExitError").toBe(true);
    expect(await invoke("First", { ms: 0 })).toBe("first");
  });
});
