import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TOKEN_HEADER } from "../../cli/console/wire.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { type Child, runChild, startChild } from "../support/child.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** `npm start` as a process, used by the command line as another process. */

const START = "local/start.ts";
const COMMAND = "cli/cinderless.js";

/** Starts the cloud on free ports and waits until it is ready. */
async function start(dataDirectory: string, args: readonly string[] = []): Promise<Child> {
  const child = startChild(START, ["--port", "0", "--data-dir", dataDirectory, ...args]);
  await child.says("Try it in another shell");
  return child;
}

async function stop(child: Child): Promise<void> {
  child.kill("SIGTERM");
  expect(await child.ended).toMatchObject({ status: 0, stderr: "\n  stopping ...\n" });
}

/** The document that a successful command answers with. */
async function cinderless<Document>(dataDirectory: string, ...args: string[]): Promise<Document> {
  const outputs = path.join(dataDirectory, "outputs.json");
  const { status, stdout, stderr } = await runChild(COMMAND, [...args, "--json", "--outputs", outputs]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout) as Document;
}

function readJson(...names: string[]): Record<string, never> {
  return JSON.parse(readFileSync(path.join(...names), "utf8")) as Record<string, never>;
}

describe("a running cloud", () => {
  const temporary = temporaryDirectory();
  // A path that a shell would break apart.
  const data = path.join(temporary.path, "it's here");
  let child: Child;

  beforeAll(async () => {
    child = await start(data);
  });

  afterAll(async () => {
    child.kill("SIGKILL");
    await child.ended;
    temporary[Symbol.dispose]();
  });

  it("prints the address of its console, which shows the volumes and ends with it", async () => {
    using temporary = temporaryDirectory();
    const own = await start(temporary.path);
    const [url = ""] = /http:\/\/127\.0\.0\.1:\d+\/#token=\S+/.exec(own.text()) ?? [];
    const { origin, hash } = new URL(url);
    const volumes = (): Promise<Response> =>
      fetch(`${origin}/api/volumes`, { headers: { [TOKEN_HEADER]: hash.replace("#token=", "") } });
    expect(await (await volumes()).json()).toMatchObject({ rows: [], complete: true, failure: null });
    own.kill("SIGKILL");
    await own.ended;
    await expect(volumes()).rejects.toThrow("fetch failed");
  });

  it("leaves variables to source, the same as JSON, and outputs as the CDK CLI writes them", () => {
    const variables: Record<string, string> = readJson(data, "environment.json");
    const script = '. "$1"; env';
    const env = { PATH: process.env["PATH"] ?? "", AWS_PROFILE: "mine", AWS_SESSION_TOKEN: "old" };
    const lines = execFileSync("sh", ["-c", script, "sh", path.join(data, "environment.sh")], {
      env,
      encoding: "utf8",
    });
    const sourced = Object.fromEntries(
      lines
        .split("\n")
        .flatMap((line) => (/^(AWS|CINDERLESS|OS)_/.test(line) ? [line.split(/=(.*)/s).slice(0, 2)] : [])),
    ) as Record<string, string>;
    expect(sourced).toEqual(variables);
    expect(variables["CINDERLESS_OUTPUTS"]).toBe(path.join(data, "outputs.json"));
    expect(variables["AWS_ENDPOINT_URL_DYNAMODB"]).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(readJson(data, "outputs.json")).toMatchObject({
      Cinderless: { SchedulerQueueUrl: expect.stringContaining(variables["AWS_ENDPOINT_URL_SQS"] ?? "?") as string },
    });
  });

  it("keeps what it stores readable by its owner only", async () => {
    const image = path.join(temporary.path, "private.img");
    writeFileSync(image, Buffer.alloc(512 * 1024, "private"));
    const { id } = await cinderless<{ id: string }>(data, "image", "add", image);
    await cinderless(data, "create", "--size", "1", "--image", id, "--wait");
    const entries = readdirSync(data, { recursive: true, withFileTypes: true });
    const open = entries.filter((entry) => (statSync(path.join(entry.parentPath, entry.name)).mode & 0o077) !== 0);
    expect(open.map((entry) => path.join(entry.parentPath, entry.name))).toEqual([]);
    expect(entries.filter((entry) => entry.isFile()).length).toBeGreaterThan(20);
    expect(statSync(data).mode & 0o777).toBe(0o700);
  });

  it("keeps its directory from a second instance, and continues", async () => {
    const second = await runChild(START, ["--port", "0", "--data-dir", data]);
    expect(second.status).toBe(1);
    expect(second.stderr).toBe(
      `error: data directory ${data} is in use by another running instance; name another with --data-dir\n`,
    );
    const { status } = await cinderless<VolumeRecord>(data, "create", "--size", "1", "--wait");
    expect(status).toBe("available");
  });

  it("ends on SIGTERM with status 0, and what was there is there again", async () => {
    const image = path.join(temporary.path, "disk.img");
    writeFileSync(image, Buffer.alloc(2 ** 20, "image"));
    const { id: imageId } = await cinderless<{ id: string }>(data, "image", "add", image, "--name", "disk");
    const one = await cinderless<VolumeRecord>(data, "create", "--size", "1", "--image", imageId, "--wait");
    const snapshot = await cinderless<{ id: string }>(data, "snapshot", "create", one.id);
    const letter = '{"volume_id":"kept"}';
    await sendDeadLetter(data, letter);
    await expect.poll(() => deadLetters(data)).toEqual([letter]);
    await stop(child);

    child = await start(data);
    expect(await cinderless<VolumeRecord>(data, "show", one.id)).toMatchObject({ id: one.id, status: "available" });
    expect(statSync(one.provider_location ?? "?").size).toBe(2 ** 30);
    expect(await deadLetters(data)).toEqual([letter]);
    const sources = [
      ["--image", imageId],
      ["--snapshot", snapshot.id],
      ["--source-volume", one.id],
    ];
    for (const source of sources) {
      const { status } = await cinderless<VolumeRecord>(data, "create", "--size", "1", ...source, "--wait");
      expect(status).toBe("available");
    }
    await cinderless(data, "snapshot", "delete", snapshot.id);
    await cinderless(data, "delete", one.id);
    expect(readdirSync(path.dirname(one.provider_location ?? "?"))).not.toContain(`volume-${one.id}`);
  });
});

function deadLetterQueue(data: string): { client: SQSClient; url: string } {
  const { SchedulerDeadLetterQueueUrl: url = "" } = readJson(data, "outputs.json")["Cinderless"] ?? {};
  const variables: Record<string, string> = readJson(data, "environment.json");
  const client = new SQSClient({
    endpoint: variables["AWS_ENDPOINT_URL_SQS"] ?? "",
    region: variables["AWS_REGION"] ?? "",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  return { client, url };
}

/** Bodies of the dead letters that are kept. */
async function deadLetters(data: string): Promise<string[]> {
  const { dead_letters: letters } = await cinderless<{ dead_letters: { body: string }[] }>(data, "redrive", "list");
  return letters.map(({ body }) => body);
}

async function sendDeadLetter(data: string, body: string): Promise<void> {
  const { client, url } = deadLetterQueue(data);
  await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body }));
  client.destroy();
}

describe.concurrent("a start that cannot be", () => {
  it("names the port that is in use and the option, and damages nothing", async () => {
    using temporary = temporaryDirectory();
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const { port } = blocker.address() as AddressInfo;
    const { status, stderr } = await runChild(START, ["--port", String(port), "--data-dir", temporary.path]);
    blocker.close();
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `error: port ${port} for DynamoDB is already in use; name another with --port\n`,
    });
    expect(readdirSync(temporary.path)).not.toContain("outputs.json");
    await stop(await start(temporary.path));
  });

  it("says that the data directory is something else's, and leaves it as it is", async () => {
    using temporary = temporaryDirectory();
    writeFileSync(path.join(temporary.path, "letter.txt"), "precious");
    const { status, stderr } = await runChild(START, ["--port", "0", "--data-dir", temporary.path]);
    expect(status).toBe(1);
    expect(stderr).toBe(
      `error: data directory ${temporary.path} has files in it and no data-directory.json: this program did not make it; name another with --data-dir\n`,
    );
    expect(readdirSync(temporary.path)).toEqual(["letter.txt"]);
  });

  it("says that the data directory is a file", async () => {
    using temporary = temporaryDirectory();
    const file = path.join(temporary.path, "file");
    writeFileSync(file, "precious");
    const { status, stderr } = await runChild(START, ["--port", "0", "--data-dir", file]);
    expect(status).toBe(1);
    expect(stderr).toBe(`error: data directory ${file} is a file; name another with --data-dir\n`);
    expect(readFileSync(file, "utf8")).toBe("precious");
  });

  it.each([
    ["a file that is not there", undefined, "backends.json: no such file"],
    ["no JSON", "{", "JSON"],
    ["no list of backends", '[{"host": "here"}]', "0.host: host must be host@backend"],
    [
      "a misspelled option of a driver",
      '[{"host": "me@ssd", "driver": "file", "options": {"directory": "/v", "capacityGb": 5}}]',
      "backend me@ssd: unknown option capacityGb; did you mean capacity_gb?",
    ],
  ])("names the file of backends: %s", async (_, content, reason) => {
    using temporary = temporaryDirectory();
    const file = path.join(temporary.path, "backends.json");
    if (content !== undefined) writeFileSync(file, content);
    const { status, stderr } = await runChild(START, ["--port", "0", "--data-dir", temporary.path, "--backends", file]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: [^\n]*backends\.json: [^\n]*\n$/);
    expect(stderr).toContain(reason);
  });

  it("names the file of image services", async () => {
    using temporary = temporaryDirectory();
    const file = path.join(temporary.path, "images.json");
    writeFileSync(file, '{"glance": {"api_servers": ["glance:9292"]}}');
    const argv = ["--port", "0", "--data-dir", temporary.path, "--image-services", file];
    const { status, stderr } = await runChild(START, argv);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: [^\n]*images\.json: image_services: glance\.api_servers[^\n]*\n$/);
  });

  it.each([
    ["--data-dir=", "It must not be empty."],
    ["--bogus", "unknown option '--bogus'"],
  ])("refuses %s, and says where the options are", async (option, reason) => {
    const { status, stderr } = await runChild(START, [option]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error: [^\n]* \(see npm start -- --help\)\n$/);
    expect(stderr).toContain(reason);
  });

  it("refuses a port that leaves no room for the others", async () => {
    const { status, stderr } = await runChild(START, ["--port", "65534"]);
    expect(status).toBe(2);
    expect(stderr).toContain("'65534' is invalid");
  });
});

it.concurrent("serves other backends, and warns of one that does not report", async () => {
  using temporary = temporaryDirectory();
  const [data, volumes] = [path.join(temporary.path, "data"), path.join(temporary.path, "volumes")];
  mkdirSync(volumes);
  writeFileSync(path.join(temporary.path, "file"), "");
  const backend = (name: string, directory: string) => ({ host: `me@${name}`, driver: "file", options: { directory } });
  const backends = [backend("sound", volumes), backend("broken", path.join(temporary.path, "file", "below"))];
  const file = path.join(temporary.path, "backends.json");
  writeFileSync(file, JSON.stringify(backends));
  const child = await start(data, ["--backends", file]);
  const { host, id } = await cinderless<VolumeRecord>(data, "create", "--size", "1", "--wait", "--name", randomUUID());
  expect(host).toBe("me@sound#_pool0");
  expect(readdirSync(volumes).toSorted()).toEqual(["attempts", `volume-${id}`]);
  child.kill("SIGTERM");
  const { status, stdout } = await child.ended;
  expect(status).toBe(0);
  expect(stdout).toContain("warning: me@broken has not reported");
  expect(stdout).not.toContain("me@sound has not reported");
});

it("ends when a store can write no longer, and serves again what was stored before", async () => {
  using temporary = temporaryDirectory();
  // Files may grow to 3 MiB: the log of the tables reaches that first.
  const limited = 'ulimit -f 6144; exec "$@"';
  const child = startChild(START, ["--port", "0", "--data-dir", temporary.path], {}, ["sh", "-c", limited, "sh"]);
  await child.says("Try it in another shell");
  const kept = await cinderless(temporary.path, "type", "create", "kept");
  await expect(fillTables(temporary.path)).rejects.toThrow(/ECONNRESET|ECONNREFUSED|socket hang up|aborted/);
  const { status, stderr } = await child.ended;
  expect(status).toBe(1);
  expect(stderr).toMatch(/^error: dynamodb crashed: [^\n]*; data that was stored before is kept: start it again\n$/);

  const again = await start(temporary.path);
  expect(await cinderless(temporary.path, "type", "list")).toMatchObject({ volume_types: [kept] });
  await stop(again);
});

/** Puts large items until that fails. */
async function fillTables(data: string): Promise<void> {
  const { BackendsTableName: TableName = "" } = readJson(data, "outputs.json")["Cinderless"] ?? {};
  const variables: Record<string, string> = readJson(data, "environment.json");
  const client = new DynamoDBClient({
    endpoint: variables["AWS_ENDPOINT_URL_DYNAMODB"] ?? "",
    region: variables["AWS_REGION"] ?? "",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    maxAttempts: 1,
  });
  try {
    for (let number = 0; number < 20; number += 1) {
      const Item = { host: { S: "large" }, padding: { S: "x".repeat(350_000) } };
      await client.send(new PutItemCommand({ TableName, Item }));
    }
  } finally {
    client.destroy();
  }
}
