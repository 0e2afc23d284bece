import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { DescribeExecutionCommand, StartExecutionCommand, StopExecutionCommand } from "@aws-sdk/client-sfn";
import { DeleteMessageCommand, ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deploy, resource, temporaryDirectory, until } from "../support/fixtures.ts";
import type { CloudUnderTest } from "../support/fixtures.ts";
import { INTERRUPTIBLE, UNHEARD } from "../support/running-executions.ts";

type Detail = { name: string; status: string; input: string; error: string | null; cause: string | null };

/** The events in the rule's queue: at least this many, until none comes for a moment. They are removed from the queue. */
async function toldEnds({ cloud, sqs }: CloudUnderTest, atLeast: number): Promise<Detail[]> {
  const QueueUrl = resource(cloud, "Ended");
  const details: Detail[] = [];
  for (;;) {
    const request = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 };
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand(request));
    if (Messages.length === 0 && details.length >= atLeast) {
      return details;
    }
    for (const { Body = "", ReceiptHandle } of Messages) {
      details.push(JSON.parse(Body) as Detail);
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
  }
}

function start({ cloud, sfn }: CloudUnderTest, name: string, fail: boolean) {
  const stateMachineArn = resource(cloud, "Machine");
  return sfn.send(new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify({ fail }) }));
}

function arnOf({ cloud }: CloudUnderTest, name: string): string {
  return `${resource(cloud, "Machine").replace(":stateMachine:", ":execution:")}:${name}`;
}

function typesOf(under: CloudUnderTest, name: string): string[] {
  return under.cloud.executions.history(arnOf(under, name)).map(({ type }) => type);
}

/** The history of an execution that waits. */
const WAITING = ["ExecutionStarted", "ChoiceStateEntered", "ChoiceStateExited", "WaitStateEntered"];

const killed = temporaryDirectory();

/** Kills a process that has an execution under way: the data directory that it leaves is copied for each test. */
beforeAll(async () => {
  const program = fileURLToPath(new URL("../support/executing-process.ts", import.meta.url));
  const env = { ...process.env, TMPDIR: killed.path };
  const child = spawn(process.execPath, [program, path.join(killed.path, "data")], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
});

afterAll(() => killed[Symbol.dispose]());

/** The data of a process that was killed during its executions. */
function leftByTheKilled(dataDirectory: string): void {
  cpSync(path.join(killed.path, "data"), dataDirectory, { recursive: true });
}

// Each has a cloud of its own, and most of the time they listen whether something more comes.
describe.concurrent("executions that a process leaves", () => {
  describe("an execution that ran when the process was killed", () => {
    it("continues in its state, and no event of an end is sent", async () => {
      using directory = temporaryDirectory();
      leftByTheKilled(directory.path);
      {
        await using next = await deploy(INTERRUPTIBLE, { dataDirectory: directory.path });
        expect(next.cloud.executions.list()).toMatchObject([{ name: "killed", status: "RUNNING" }]);
        await until(() => next.cloud.executions.list()[0]?.state === "Wait");
        expect(typesOf(next, "killed")).toEqual(WAITING);
        expect(await toldEnds(next, 0)).toEqual([]);
      }
      await using third = await deploy(INTERRUPTIBLE, { dataDirectory: directory.path });
      await third.sfn.send(new StopExecutionCommand({ executionArn: arnOf(third, "killed"), error: "Enough" }));
      expect(await toldEnds(third, 1)).toEqual([
        expect.objectContaining({ name: "killed", status: "ABORTED", input: '{"fail":false}', error: "Enough" }),
      ]);
      expect(typesOf(third, "killed")).toEqual([...WAITING, "ExecutionAborted"]);
    });

    it("keeps its name: the same start is the same execution, another input is refused", async () => {
      using directory = temporaryDirectory();
      leftByTheKilled(directory.path);
      await using next = await deploy(INTERRUPTIBLE, { dataDirectory: directory.path });
      expect(await start(next, "killed", false)).toMatchObject({ executionArn: arnOf(next, "killed") });
      await expect(start(next, "killed", true)).rejects.toMatchObject({ name: "ExecutionAlreadyExists" });
      expect(await next.sfn.send(new DescribeExecutionCommand({ executionArn: arnOf(next, "killed") }))).toMatchObject({
        status: "RUNNING",
        input: '{"fail":false}',
      });
    });
  });

  it("a name stays taken after a restart when its execution has ended", async () => {
    using directory = temporaryDirectory();
    {
      await using first = await deploy(INTERRUPTIBLE, { dataDirectory: directory.path });
      await start(first, "ended", true);
      await until(() => first.cloud.executions.list({ status: "FAILED" }).length === 1);
    }
    await using next = await deploy(INTERRUPTIBLE, { dataDirectory: directory.path });
    await expect(start(next, "ended", true)).rejects.toMatchObject({ name: "ExecutionAlreadyExists" });
    await start(next, "another", false);
  });

  it("the next process sends the event of an end again that a target did not accept", async () => {
    using directory = temporaryDirectory();
    {
      await using first = await deploy(UNHEARD, { dataDirectory: directory.path });
      await start(first, "unheard", true);
      await until(() => (first.cloud.counters.lambdaInvocations[resource(first.cloud, "Deaf")] ?? 0) > 0);
      expect(await toldEnds(first, 1)).toHaveLength(1);
    }
    await using next = await deploy(UNHEARD, { dataDirectory: directory.path });
    expect(await toldEnds(next, 1)).toEqual([
      expect.objectContaining({ name: "unheard", status: "FAILED", error: "Broken", cause: "on order" }),
    ]);
  });

  it("executions of a machine that the template no longer has are forgotten", async () => {
    using directory = temporaryDirectory();
    leftByTheKilled(directory.path);
    const { Machine: _machine, ...others } = INTERRUPTIBLE;
    {
      await using without = await deploy(others, { dataDirectory: directory.path });
      expect(await toldEnds(without, 0)).toEqual([]);
    }
    await using again = await deploy(INTERRUPTIBLE, { dataDirectory: directory.path });
    await start(again, "killed", false);
  });
});
