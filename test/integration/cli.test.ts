import { spawn } from "node:child_process";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { buildCreateRequest } from "../../core/requests/create-request.ts";
import { type LocalCinderless, startCinderless } from "../../local/cinderless.ts";

/** The command itself, as a process, against Cinderless in the embedded cloud. */

const COMMAND = fileURLToPath(new URL("../../cli/cinderless.js", import.meta.url));
const MIB = 1024 ** 2;

let directory: string;
let local: LocalCinderless;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "cinderless-cli-"));
  local = await startCinderless({ directory: join(directory, "cloud") });
  const { outputs, environment } = local.cloud;
  mkdirSync(join(directory, ".cinderless"));
  writeFileSync(join(directory, ".cinderless", "outputs.json"), JSON.stringify({ Cinderless: outputs }));
  writeFileSync(join(directory, ".cinderless", "environment.json"), JSON.stringify(environment));
  await json("backend", "list", "--wait");
});

afterAll(async () => {
  await local?.cloud.stop();
  rmSync(directory, { recursive: true, force: true });
});

type Finished = { status: number | null; stdout: string; stderr: string };

/** Runs the command in the directory whose `.cinderless` names the cloud, without any AWS variable of this process. */
function run(argv: string[], environment: Record<string, string> = {}, onOutput?: (text: string, pid: number) => void) {
  const { PATH = "", HOME = "" } = process.env;
  return new Promise<Finished>((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, ...argv], { cwd: directory, env: { PATH, HOME, ...environment } });
    const finished: Finished = { status: null, stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        finished[stream] += text;
        onOutput?.(finished[stream], child.pid ?? 0);
      });
    }
    child.on("error", reject);
    child.on("close", (status) => {
      resolve({ ...finished, status });
    });
  });
}

/** The document that a successful command answers with. */
async function json<Document>(...argv: string[]): Promise<Document> {
  const { status, stdout, stderr } = await run([...argv, "--json"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout) as Document;
}

type Volume = {
  id: string;
  status: string;
  size: number;
  bootable: boolean;
  volume_type_id: string | null;
  host: string;
};

/** The first bytes of a volume on its backend: reading the holes of a whole GiB takes longer than everything else here. */
async function firstBytesOf({ id, host }: Volume, count: number): Promise<Buffer> {
  const folder = join(local.backendsDirectory, host.slice(host.indexOf("@") + 1, host.indexOf("#")));
  const file = await open(join(folder, `volume-${id}`));
  try {
    return (await file.read(Buffer.alloc(count), 0, count, 0)).buffer;
  } finally {
    await file.close();
  }
}

describe("create", () => {
  test("an empty volume, waited for, found by show and list, and deleted", async () => {
    const created = await run(["create", "--size", "1", "--name", "scratch", "--wait"]);
    expect(created).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^volume \S+ is available on cinderless@\w+#\w+/),
    });
    const { volumes } = await json<{ volumes: Volume[] }>("list", "--name", "scratch");
    const [volume] = volumes;
    expect(volumes).toMatchObject([{ status: "available", size: 1 }]);
    const id = volume?.id ?? "";
    expect((await run(["show", id])).stdout).toMatch(/^attempts +1 {2}cinderless@\w+#\w+ {2}created/m);
    expect(await run(["extend", id, "3"])).toMatchObject({ status: 0, stdout: `volume ${id} has 3 GiB\n` });
    expect(await run(["extend", id, "2"])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("must be larger than the 3 GiB"),
    });
    expect(await run(["delete", id])).toMatchObject({ status: 0, stdout: `volume ${id} is deleted\n` });
    expect(await run(["show", id])).toMatchObject({ status: 1, stderr: expect.stringContaining("could not be found") });
  });

  test("an image's volume, its snapshot, a volume of that, and a copy, all with the same bytes", async () => {
    const path = join(directory, "disk.raw");
    const bytes = Buffer.concat([randomBytes(3 * MIB), Buffer.alloc(5 * MIB), randomBytes(MIB)]);
    writeFileSync(path, bytes);
    const image = await json<{ id: string; size: number; os_hash_value: string; properties: object }>(
      "image",
      "add",
      path,
      "--name",
      "disk",
      "--property",
      "os=linux",
    );
    const sha512 = createHash("sha512").update(bytes).digest("hex");
    expect(image).toMatchObject({ size: bytes.length, os_hash_value: sha512, properties: { os: "linux" } });
    expect(await json("image", "list")).toEqual({ images: [image], total: 1 });

    const boot = await json<Volume>("create", "--image", image.id, "--wait");
    expect(boot).toMatchObject({ status: "available", bootable: true, size: 1 });
    const snapshot = await json<{ id: string; status: string }>("snapshot", "create", boot.id, "--name", "first");
    expect(snapshot.status).toBe("available");
    expect(await json("snapshot", "list", "--volume", boot.id)).toEqual({ snapshots: [snapshot], total: 1 });
    const restored = await json<Volume>("create", "--snapshot", snapshot.id, "--wait");
    const copy = await json<Volume>("create", "--source-volume", boot.id, "--wait");
    for (const volume of [boot, restored, copy]) {
      expect((await firstBytesOf(volume, bytes.length)).equals(bytes)).toBe(true);
    }

    const refused = await run(["delete", boot.id]);
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining("still has 1 snapshot(s)") });
    expect(await json("snapshot", "delete", snapshot.id)).toEqual({ deleted: [snapshot.id], failed: [] });
    expect(await json("delete", boot.id, restored.id, copy.id)).toEqual({
      deleted: [boot.id, restored.id, copy.id],
      requested: [],
      failed: [],
    });
    expect((await run(["image", "delete", image.id])).status).toBe(0);
    expect(await json("image", "list")).toEqual({ images: [], total: 0 });
  });

  test("a volume of a type goes where the type's specs say", async () => {
    const type = await json<{ id: string }>(
      "type",
      "create",
      "second-only",
      "--property",
      "volume_backend_name=second",
    );
    const volume = await json<Volume>("create", "--size", "1", "--type", "second-only", "--wait");
    expect(volume).toMatchObject({ host: "cinderless@second#second", volume_type_id: type.id });
    expect(await json("type", "list")).toMatchObject({ volume_types: [type] });
  });

  test("a volume that no backend takes ends the wait with its fault and status 1", async () => {
    const { status, stderr } = await run(["create", "--size", "1", "--availability-zone", "nowhere", "--wait"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: volume \S+ is in error after .*: NoValidBackend: No valid backend was found/m);
  });
});

test("backend list shows what the backends have reported", async () => {
  const { backends } = await json<{ backends: { host: string; state: string }[] }>("backend", "list");
  expect(backends).toMatchObject([
    { host: "cinderless@first#first", state: "up" },
    { host: "cinderless@second#second", state: "up" },
  ]);
});

/** A volume that stays in the flow, because its message is never sent. */
async function putWithoutMessage(): Promise<void> {
  const client = new DynamoDBClient({
    endpoint: local.cloud.endpoints.dynamodb,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  const tableName = local.cloud.outputs["VolumesTableName"] ?? "";
  const volumes = new DynamoDbVolumeRepository({ client, tableName, clock: { now: () => new Date() } });
  const ids = { volumeId: randomUUID(), requestId: "req-watch" };
  await volumes.create(buildCreateRequest({ sizeGib: 1 }, new Date(), ids).record);
  client.destroy();
}

test("watch without ids runs until Ctrl-C, and ends with 130", async () => {
  let killed = false;
  const watching = run(["watch"], {}, (_text, pid) => {
    if (!killed) {
      killed = true;
      process.kill(pid, "SIGINT");
    }
  });
  await putWithoutMessage();
  expect(await watching).toMatchObject({ status: 130, stderr: "no longer watching; the creates continue\n" });
});

describe("the deployment", () => {
  test("is that of CINDERLESS_OUTPUTS where it is named", async () => {
    const elsewhere = mkdtempSync(join(directory, "elsewhere-"));
    writeFileSync(join(elsewhere, "outputs.json"), JSON.stringify({ Other: { VolumesTableName: "none" } }));
    const { status, stderr } = await run(["backend", "list"], { CINDERLESS_OUTPUTS: join(elsewhere, "outputs.json") });
    expect([status, stderr.startsWith("error: stack Other in ")]).toEqual([1, true]);
    expect(stderr).toContain("has no output BackendsTableName");
  });

  test("the process's own endpoints override those next to the outputs", async () => {
    const { status, stderr } = await run(["list"], { AWS_ENDPOINT_URL_DYNAMODB: "http://127.0.0.1:9" });
    expect(status).toBe(1);
    expect(stderr).toBe(
      "error: the connection to 127.0.0.1:9 is refused (is the embedded cloud running? Start it with: npm start)\n",
    );
  });

  test.each([
    ["missing.json", undefined, "there is no file missing.json (start the embedded cloud"],
    ["bad.json", "{", "bad.json is not valid JSON"],
    [".", undefined, ".: is a directory, not a file"],
  ])("outputs in %s: one line", async (file, content, message) => {
    if (content !== undefined) {
      writeFileSync(join(directory, file), content);
    }
    const { status, stderr } = await run(["list", "--outputs", file]);
    expect([status, stderr.split("\n").length]).toEqual([1, 2]);
    expect(stderr).toContain(message);
  });
});

describe("the process", () => {
  test.each([
    ["/nowhere/disk.raw", "/nowhere/disk.raw: no such file"],
    [tmpdir(), "is not a regular file"],
  ])("image add of %s is refused in one line", async (path, message) => {
    const { status, stderr } = await run(["image", "add", path]);
    expect([status, stderr.split("\n").length]).toEqual([1, 2]);
    expect(stderr).toContain(message);
  });

  test("image add takes only what could become a volume, and says where to learn more", async () => {
    const path = join(directory, "disk.qcow2");
    writeFileSync(path, "QFI\u00fb".padEnd(1024, "\0"), "latin1");
    const { status, stderr } = await run(["image", "add", path]);
    expect([status, stderr.includes("qcow2 version 0 is not supported")]).toEqual([1, true]);
    expect(stderr).toContain(`cinderless image check ${path}`);
  });

  test.each(["bash", "zsh", "fish"])(
    "completion writes a script for %s, which asks the command itself",
    async (shell) => {
      const { status, stdout } = await run(["completion", shell]);
      expect([status, stdout.includes("cinderless complete --")]).toEqual([0, true]);
      expect((await run(["complete", "--", "snapshot", "cr"])).stdout).toMatch(/^create\t/m);
      expect((await run(["complete", "--", "list", "--status", "extend"])).stdout).toMatch(/^extending/m);
    },
  );

  test("help loads no SDK", async () => {
    const coverage = join(directory, "coverage");
    await run(["--help"], { NODE_V8_COVERAGE: coverage });
    const loaded = readdirSync(coverage).flatMap(
      (file) => readFileSync(join(coverage, file), "utf8").match(/"url":"[^"]+"/g) ?? [],
    );
    expect(loaded.some((url) => url.includes("/cli/program.ts"))).toBe(true);
    expect(loaded.filter((url) => /aws-sdk|cli-table3|string-width|log-update/.test(url))).toEqual([]);
  });
});
