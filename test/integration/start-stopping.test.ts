import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { describe, expect, it } from "vitest";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { type Child, runChild, startChild } from "../support/child.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { until } from "../support/until.ts";

/** Ctrl-C while volumes are created by `npm start`, and what the next start makes of them. */

const START = "local/start.ts";
const COMMAND = "cli/cinderless.js";

/** One backend whose driver does as the options of the `fault` driver say. */
function backendsFile(directory: string, faults: object): string {
  const options = {
    driver: "file",
    options: { directory: path.join(directory, "volumes") },
    state_directory: path.join(directory, "faults"),
    ...faults,
  };
  const file = path.join(directory, "backends.json");
  writeFileSync(file, JSON.stringify([{ host: "me@one", driver: "fault", options }]));
  return file;
}

async function start(data: string, backends: string): Promise<Child> {
  const child = startChild(START, ["--port", "0", "--data-dir", data, "--backends", backends]);
  await child.says("Try it in another shell");
  return child;
}

async function cinderless<Document>(data: string, ...args: string[]): Promise<Document> {
  const { status, stdout, stderr } = await runChild(COMMAND, [
    ...args,
    "--json",
    "--outputs",
    path.join(data, "outputs.json"),
  ]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout) as Document;
}

/** The stored record, without a process for each look at it. */
async function show(data: string, id: string): Promise<VolumeRecord> {
  const read = (name: string): string => readFileSync(path.join(data, name), "utf8");
  const { Cinderless: outputs } = JSON.parse(read("outputs.json")) as { Cinderless: Record<string, string> };
  const variables = JSON.parse(read("environment.json")) as Record<string, string>;
  const client = new DynamoDBClient({
    endpoint: variables["AWS_ENDPOINT_URL_DYNAMODB"] ?? "",
    region: variables["AWS_REGION"] ?? "",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  try {
    const tableName = outputs["VolumesTableName"] ?? "";
    return await new DynamoDbVolumeRepository({ client, tableName, clock: { now: () => new Date() } }).get(id);
  } finally {
    client.destroy();
  }
}

/** Begins a volume and waits until its backend is asked for it. */
async function beginVolume(data: string): Promise<string> {
  const { id } = await cinderless<{ id: string }>(data, "create", "--size", "1");
  await until(async () => (await show(data, id)).phase === "creating");
  return id;
}

describe.concurrent("Ctrl-C while a volume is created", () => {
  it("names the execution, lets the call of its function end, and the next start continues it", async () => {
    using temporary = temporaryDirectory();
    const data = path.join(temporary.path, "data");
    const hold_file = path.join(temporary.path, "held");
    writeFileSync(hold_file, "");
    const backends = backendsFile(temporary.path, { faults: [{ call: "createVolume", error: "none", hold_file }] });
    const first = await start(data, backends);
    const id = await beginVolume(data);
    first.kill("SIGINT");
    await first.says("Ctrl-C again stops at once");
    rmSync(hold_file);
    const { status, stdout, stderr } = await first.ended;
    expect({ status, stderr }).toEqual({ status: 0, stderr: "\n  stopping ...\n" });
    expect(stdout).toContain(
      `1 running execution, to be continued at the next start:\n    ${id}-a1  CreateRawVolume\n`,
    );
    expect(stdout).toContain("to reach a checkpoint, 20 s at most; Ctrl-C again stops at once\n");
    expect(stdout.endsWith("  stopped; all data is kept\n")).toBe(true);

    const next = await start(data, backends);
    await until(async () => (await show(data, id)).status === "available");
    expect((await show(data, id)).attempts).toMatchObject({ 1: { outcome: "created" } });
    next.kill("SIGTERM");
    expect((await next.ended).status).toBe(0);
  });

  it("twice stops at once, and the next start continues the create in its first attempt", async () => {
    using temporary = temporaryDirectory();
    const data = path.join(temporary.path, "data");
    const backends = backendsFile(temporary.path, { faults: [{ call: "createVolume", error: "timeout", times: 1 }] });
    const first = await start(data, backends);
    const id = await beginVolume(data);
    first.kill("SIGINT");
    await first.says(`${id}-a1  CreateRawVolume`);
    await delay(600);
    first.kill("SIGINT");
    const { status, stdout } = await first.ended;
    expect(status).toBe(130);
    expect(stdout).not.toContain("stopped; all data is kept");

    const next = await start(data, backends);
    await until(async () => (await show(data, id)).status === "available");
    const { attempts } = await show(data, id);
    expect(Object.keys(attempts)).toEqual(["1"]);
    next.kill("SIGTERM");
    expect((await next.ended).status).toBe(0);
  });
});

describe.concurrent("what goes wrong", () => {
  it.each([
    ["an unknown option", { directory: "/tmp/x", colour: "red" }, "colour"],
    ["a relative directory", { directory: "volumes" }, "directory"],
  ])("with the options of a backend ends the start before anything runs: %s", async (_, options, reason) => {
    using temporary = temporaryDirectory();
    const file = path.join(temporary.path, "backends.json");
    writeFileSync(file, JSON.stringify([{ host: "me@one", driver: "file", options }]));
    const data = path.join(temporary.path, "data");
    const { status, stdout, stderr } = await runChild(START, ["--port", "0", "--data-dir", data, "--backends", file]);
    expect(status).toBe(1);
    expect(stdout).not.toContain("ready");
    expect(stderr).toMatch(/^error: [^\n]*backends\.json: [^\n]*me@one[^\n]*\n$/);
    expect(stderr).toContain(reason);
  });

  it("in a function is shown once, and is in the log each time", async () => {
    using temporary = temporaryDirectory();
    const data = path.join(temporary.path, "data");
    const faults = [
      { call: "createVolume", error: "VolumeDriverException", message: "no more disks", times: "always" },
    ];
    const child = await start(data, backendsFile(temporary.path, { faults }));
    const { id } = await cinderless<{ id: string }>(data, "create", "--size", "1");
    await until(async () => (await show(data, id)).status === "error");
    child.kill("SIGTERM");
    const { stdout } = await child.ended;
    const shown = stdout.split("\n").filter((line) => line.includes("no more disks"));
    expect(shown).toHaveLength(1);
    expect(shown[0]).toMatch(
      new RegExp(
        `^  warning: \\S*CreateRawVolume\\S*: failed: VolumeDriverException: .*no more disks.* \\(volume ${id}\\)$`,
      ),
    );
    expect(readFileSync(path.join(data, "functions.log"), "utf8")).toContain("no more disks");
  });
});
