import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TOKEN_HEADER } from "../../cli/console/wire.ts";
import { type Call, startTally, type Tally } from "../../bench/tally.ts";
import { type ConsoleCommand, startConsole } from "../support/console-command.ts";
import { type CinderlessUnderTest, startUnderTest } from "../support/local-cinderless.ts";
import { type Policies, readPolicies, type Role, ROLES } from "../support/policies.ts";

/**
 * The policies for people (`docs/policies`), against the calls that the commands make. A command runs as a process, everything that it
 * asks of a service is noted, and the policies are asked whether IAM would have allowed it.
 */

const COMMAND = fileURLToPath(new URL("../../cli/cinderless.js", import.meta.url));

let policies: Policies;
let directory: string;
let tally: Tally;
let under: CinderlessUnderTest;
let outputs: string;
let page: ConsoleCommand | undefined;
let calls: Call[] = [];

beforeAll(async () => {
  policies = await readPolicies();
  directory = mkdtempSync(path.join(tmpdir(), "cinderless-cli-policies-"));
  const backends = ["first", "second"].map((name) => ({
    host: `node@${name}`,
    driver: "file",
    options: { directory: path.join(directory, name), capacity_gb: 10 },
    image_volume_cache_enabled: true,
  }));
  under = await startUnderTest({ context: { backends } });
  tally = await startTally((call) => calls.push(call));
  tally.connect(under.cloud.endpoints);
  outputs = path.join(directory, "outputs.json");
  // The SDK asks a queue at the address that its URL has.
  const { pathname } = new URL(under.cloud.outputs["SchedulerQueueUrl"] ?? "");
  const SchedulerQueueUrl = `${tally.environment["AWS_ENDPOINT_URL_SQS"] ?? ""}${pathname}`;
  writeFileSync(outputs, JSON.stringify({ Cinderless: { ...under.cloud.outputs, SchedulerQueueUrl } }));
});

afterAll(async () => {
  await page?.end("SIGINT");
  await under?.stop();
  await tally?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Variables that direct a command to the tally. */
function variables(): NodeJS.ProcessEnv {
  const { PATH = "", HOME = "" } = process.env;
  return { PATH, HOME, ...under.cloud.environment, ...tally.environment };
}

/** Runs a command through the tally, and gives its answer. */
async function run(...argv: string[]): Promise<Record<string, unknown>> {
  const child = spawn(process.execPath, [COMMAND, "--outputs", outputs, ...argv, "--json"], { env: variables() });
  const texts = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      texts[stream] += text;
    });
  }
  await new Promise((resolve) => child.on("close", resolve));
  expect([argv, texts.stderr]).toEqual([argv, ""]);
  return JSON.parse(texts.stdout) as Record<string, unknown>;
}

async function roleOf(...argv: string[]): Promise<Role | undefined> {
  calls = [];
  await run(...argv);
  return policies.leastRole(calls);
}

const idOf = (answer: Record<string, unknown>): string => String(answer["id"]);

/** Commands that create the objects which the others read, change and delete. Runs in this order. */
async function usesOfACreator(): Promise<{ roles: Record<string, Role | undefined>; volume: string; image: string }> {
  const roles: Record<string, Role | undefined> = {};
  const make = async (...argv: string[]): Promise<string> => {
    calls = [];
    const id = idOf(await run(...argv));
    roles[argv.slice(0, 2).join(" ")] = policies.leastRole(calls);
    return id;
  };
  const disk = path.join(directory, "disk.raw");
  writeFileSync(disk, randomBytes(2 ** 20));
  const image = await make("image", "add", disk, "--name", "disk");
  const volume = await make("create", "--size", "1", "--name", "first", "--wait");
  const snapshot = await make("snapshot", "create", "first", "--name", "kept");
  const uses: Record<string, readonly string[]> = {
    "create of an image": ["create", "--size", "1", "--image", image, "--wait"],
    "create of a volume": ["create", "--size", "1", "--source-volume", volume, "--wait"],
    "snapshot set": ["snapshot", "set", "kept", "--name", "renamed"],
    "create of a snapshot": ["create", "--size", "1", "--snapshot", snapshot, "--wait"],
    "snapshot delete": ["snapshot", "delete", snapshot],
    extend: ["extend", volume, "2"],
    set: ["set", "first", "--property", "a=b"],
    rename: ["set", "first", "--name", "other"],
    unset: ["unset", volume, "--property", "a"],
  };
  for (const [name, argv] of Object.entries(uses)) {
    roles[name] = await roleOf(...argv);
  }
  return { roles, volume, image };
}

async function usesOfAReader(volume: string): Promise<Record<string, Role | undefined>> {
  await under.giveUp(JSON.stringify({ volume_id: volume }));
  const [letter] = await under.deadLetters(1);
  const uses: readonly (readonly string[])[] = [
    ["list"],
    ["list", "--status", "available"],
    ["snapshot", "list"],
    ["type", "list"],
    ["backend", "list"],
    ["image", "list"],
    ["image", "cache", "list"],
    ["redrive", "list"],
    ["service", "list"],
    ["quota", "show", "p"],
    ["show", volume],
    ["watch", volume],
    ["cost", volume],
    ["redrive", "show", letter?.id ?? ""],
  ];
  const roles: Record<string, Role | undefined> = {};
  for (const argv of uses) {
    roles[argv.join(" ")] = await roleOf(...argv);
  }
  return roles;
}

async function usesOfAnOperator(volume: string, image: string): Promise<Record<string, Role | undefined>> {
  const failed = await under.create({ sizeGib: 1 }, (message) => ({ ...message, request_spec: "none" }));
  await under.settled(failed);
  const [letter] = await under.deadLetters(1);
  const cast = path.join(directory, "cast.json");
  writeFileSync(cast, JSON.stringify({ ...(JSON.parse(letter?.body ?? "{}") as object), request_spec: {} }));
  const uses: readonly (readonly string[])[] = [
    ["type", "create", "fast", "--property", "a=b"],
    ["type", "set", "fast", "--property", "c=d"],
    ["type", "create", "slow"],
    ["type", "delete", "slow"],
    ["quota", "set", "p", "--volumes", "5"],
    ["service", "set", "node@first", "--enable"],
    ["connection", volume],
    ["attach", volume, "--host", "node"],
    ["detach", volume],
    ["audit"],
    ["image", "cache", "evict", "--all"],
    ["image", "delete", image],
    ["redrive", letter?.id ?? "", "--message", cast],
    ["redrive", "discard", letter?.id ?? "", "--yes"],
  ];
  const roles: Record<string, Role | undefined> = {};
  for (const argv of uses) {
    roles[argv.join(" ")] = await roleOf(...argv);
  }
  return roles;
}

/** Sends a request of the page to the console; the least role that may do all that it took. */
async function roleOfPage(asked: string): Promise<Role | undefined> {
  const [method, path = "/"] = asked.split(" ");
  const { origin, hash } = new URL(page?.url ?? "");
  calls = [];
  const headers = { [TOKEN_HEADER]: hash.replace("#token=", "") };
  const response = await fetch(`${origin}${path}`, { ...(method !== undefined && { method }), headers });
  expect([asked, response.ok ? "" : await response.text()]).toEqual([asked, ""]);
  return policies.leastRole(calls);
}

/** Reads and buttons of the console with the role that each should take. The page of audits calls what the command `audit` calls. */
async function usesOfTheConsole(volume: string): Promise<readonly (readonly [asked: string, role: Role])[]> {
  const doomed = idOf(await run("create", "--size", "1", "--wait"));
  const failed = await under.create({ sizeGib: 1 }, (message) => ({ ...message, request_spec: "none" }));
  await under.settled(failed);
  await under.giveUp(JSON.stringify({ volume_id: failed }));
  const letters = await under.deadLetters(2);
  const letter = letters.find(({ volume_id: id }) => id === failed)?.id ?? "";
  const execution = `/api/volumes/${volume}/executions/${volume}-a1`;
  return [
    ["GET /api/volumes", "read-only"],
    ["GET /api/backends", "read-only"],
    ["GET /api/dead-letters", "read-only"],
    ["GET /api/audit", "read-only"],
    [`GET /api/volumes/${volume}`, "read-only"],
    [`GET ${execution}`, "read-only"],
    [`GET ${execution}?state=0`, "read-only"],
    [`GET /api/volumes/${volume}/cost`, "read-only"],
    [`POST /api/volumes/${volume}/replay/${volume}-a1`, "read-only"],
    [`POST /api/volumes/${doomed}/delete`, "creator"],
    [`GET /api/volumes/${volume}/connection`, "operator"],
    [`POST /api/volumes/${volume}/reset-to-error`, "operator"],
    [`POST /api/volumes/${volume}/reset-to-available`, "operator"],
    [`POST /api/volumes/${failed}/retry`, "operator"],
    [`POST /api/dead-letters/${letter}/discard`, "operator"],
  ];
}

/** Asked for in cases that the commands above do not come into. */
const RARE: Readonly<Record<Role, readonly string[]>> = {
  // With --stack, of CloudFormation, which the embedded cloud does not serve; of the console's page of alarms, and of its second reading.
  "read-only": ["cloudformation:DescribeStacks", "cloudwatch:DescribeAlarms", "states:ListExecutions"],
  // Uploads in parts, of more than this image, that are given up.
  creator: ["s3:AbortMultipartUpload"],
  // A type of a name that is there.
  operator: ["dynamodb:GetItem"],
};

/** Each use of a command with the role that it should take, for a comparison that names what differs. */
const allOf = (roles: Record<string, Role | undefined>, role: Role): Record<string, Role> =>
  Object.fromEntries(Object.keys(roles).map((name) => [name, role]));

// One test, for its parts need what those before made, and the last look is at all that they asked for.
test("every command takes the least role that its policy is for, and no policy allows more than the commands ask for", async () => {
  const { roles: making, volume, image } = await usesOfACreator();
  expect(making).toEqual(allOf(making, "creator"));
  const looking = await usesOfAReader(volume);
  expect(looking).toEqual(allOf(looking, "read-only"));
  const managing = await usesOfAnOperator(volume, image);
  expect(managing).toEqual(allOf(managing, "operator"));
  const pages = await usesOfTheConsole(volume);
  page = await startConsole({ argv: ["--outputs", outputs], env: variables() });
  const found: (readonly [string, Role | undefined])[] = [];
  for (const [asked] of pages) {
    found.push([asked, await roleOfPage(asked)]);
  }
  expect(found).toEqual(pages);
  expect(await roleOf("type", "show", "fast")).toBe("read-only");
  expect(await roleOf("snapshot", "show", await anotherSnapshot(volume))).toBe("read-only");
  expect(await roleOf("create", "--size", "1", "--type", "fast")).toBe("creator");
  expect(await roleOf("delete", idOf(await run("create", "--size", "1", "--wait")))).toBe("creator");
  for (const role of ROLES) {
    expect([role, ...policies.unused(role).filter((action) => !RARE[role].includes(action))]).toEqual([role]);
  }
});

const anotherSnapshot = async (volume: string): Promise<string> => idOf(await run("snapshot", "create", volume));
