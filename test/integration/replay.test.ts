import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { putImage } from "../../adapters/s3/put-image.ts";
import { callsOf, type RecordedCall, type ReplayedCall } from "../../cli/replay.ts";
import { SfnExecutions } from "../../cli/executions.ts";
import { SFNClient } from "@aws-sdk/client-sfn";
import { runChild, startChild } from "../support/child.ts";
import { runToBreakpoint } from "../support/debugger.ts";
import { type CinderlessUnderTest, startUnderTest } from "../support/local-cinderless.ts";

/** Executions of the embedded cloud, replayed by the command in a process of its own. */

const COMMAND = "cli/cinderless.js";
const PROGRAM = "local/replay/main.ts";

describe("cinderless replay", () => {
  const directory = mkdtempSync(path.join(tmpdir(), "cinderless-replay-test-"));
  let under: CinderlessUnderTest;

  beforeAll(async () => {
    const file = (name: string) => ({ driver: "file", options: { directory: path.join(directory, name) } });
    const fault = { call: "createVolume", error: "VolumeBackendAPIException", message: "the array is down", times: 1 };
    const flaky = { ...file("flaky"), state_directory: path.join(directory, "faults"), faults: [fault] };
    const backends = [
      { host: "node@good", ...file("good"), availability_zone: "good" },
      { host: "node@flaky", driver: "fault", options: flaky, availability_zone: "flaky" },
    ];
    under = await startUnderTest({ context: { backends } });
    writeFileSync(path.join(directory, "outputs.json"), JSON.stringify({ Cinderless: under.cloud.outputs }));
    writeFileSync(path.join(directory, "environment.json"), JSON.stringify(under.cloud.environment));
  });

  afterAll(async () => {
    await under?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  type Answer = { execution: string; same: boolean; recorded: number; calls: ReplayedCall[] };

  async function replay(...argv: string[]): Promise<Answer> {
    const run = await runChild(COMMAND, [
      "--json",
      "--outputs",
      path.join(directory, "outputs.json"),
      "replay",
      ...argv,
    ]);
    const answer = JSON.parse(run.stdout) as Answer;
    expect({ status: run.status, differences: answer.calls.flatMap(({ differences }) => differences) }).toEqual({
      status: 0,
      differences: [],
    });
    return answer;
  }

  const statesOf = ({ calls }: Answer) => calls.map(({ state }) => state);

  async function create(input: Partial<Parameters<CinderlessUnderTest["create"]>[0]>): Promise<string> {
    const id = await under.create({ sizeGib: 1, availabilityZone: "good", ...input });
    expect(await under.settled(id)).toMatchObject({ status: "available" });
    return id;
  }

  async function anImage(): Promise<string> {
    const client = new S3Client({
      endpoint: under.cloud.endpoints.s3,
      region: "us-east-1",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
      forcePathStyle: true,
    });
    const id = randomUUID();
    const formats = { disk_format: "raw", container_format: "bare", min_disk: 0, min_ram: 0 };
    const bytes = async function* () {
      yield randomBytes(2 ** 16);
    };
    const image = { id, name: "disk", ...formats, owner: "o", visibility: "public" as const, properties: {} };
    await putImage(client, under.cloud.outputs["ImagesBucketName"] ?? "", image, bytes());
    client.destroy();
    return id;
  }

  it("gives the recorded answers of creates of an image and of a clone", async () => {
    const ofImage = await create({ imageId: await anImage() });
    const image = await replay(ofImage);
    expect(image.same).toBe(true);
    expect(statesOf(image)).toContain("CopyImageToVolume");
    const clone = await replay(await create({ sourceVolumeId: ofImage }));
    expect(clone).toMatchObject({ same: true, recorded: clone.calls.length });
    expect(statesOf(clone)).toContain("CreateClonedVolume");
  });

  it("gives the recorded failure of a backend, and what followed from it", async () => {
    const id = await under.create({ sizeGib: 1, availabilityZone: "flaky" });
    const { attempts } = await under.settled(id);
    const first = await replay(attempts["1"]?.execution ?? "");
    expect(first.same).toBe(true);
    expect(first.calls.find(({ state }) => state === "CreateRawVolume")?.replayed).toEqual({
      error: "VolumeBackendAPIException",
      message: "the array is down",
    });
  });

  it("stops at the first answer that differs, and shows both", async () => {
    const id = await create({});
    const client = new SFNClient({
      endpoint: under.cloud.endpoints.sfn,
      region: "us-east-1",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    });
    const events = await new SfnExecutions(client, under.cloud.outputs["StateMachineArn"] ?? "").history(
      `${id}-a1`,
      true,
    );
    client.destroy();
    const changed = callsOf(events ?? []).map((call): RecordedCall => {
      return call.state === "ExtractVolumeSpec"
        ? { ...call, output: (call.output ?? "").replace('"volume_size":1', '"volume_size":2') }
        : call;
    });
    const recording = path.join(directory, "changed.json");
    writeFileSync(
      recording,
      JSON.stringify({ execution: `${id}-a1`, calls: changed, sources: { volume: null, snapshot: null } }),
    );
    const run = await runChild(PROGRAM, [recording]);
    const calls = run.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as ReplayedCall);
    expect(run.status).toBe(1);
    expect(calls.map(({ state, differences }) => [state, differences])).toEqual([
      ["ExtractVolumeRef", []],
      ["ExtractVolumeSpec", ["output.volume_size: recorded 2, replayed 1"]],
    ]);
  });

  it("waits for a debugger with --debug, and stops at a breakpoint in a function's TypeScript source", async () => {
    const id = await create({});
    const child = startChild(COMMAND, ["--outputs", path.join(directory, "outputs.json"), "replay", id, "--debug"]);
    const source = "core/workflow/create-raw-volume.ts";
    const lines = readFileSync(source, "utf8").split("\n");
    const line = lines.findIndex((text) => text.includes("return createOnBackend("));
    const address = await child.warns(/ws:\/\/127\.0\.0\.1:\S+/);
    const paused = await runToBreakpoint(address, source, line);
    expect(paused).toMatchObject({ functionName: "createRawVolume", location: { lineNumber: line } });
    const { status, stdout } = await child.ended;
    expect([status, stdout]).toEqual([0, expect.stringContaining(`answers of ${id}-a1 are the recorded ones`)]);
  });

  it("says that an execution is not known", async () => {
    const execution = `${randomUUID()}-a1`;
    const run = await runChild(COMMAND, ["--outputs", path.join(directory, "outputs.json"), "replay", execution]);
    expect(run.status).toBe(1);
    expect(run.stderr).toContain(`execution ${execution} is not known`);
  });
});
