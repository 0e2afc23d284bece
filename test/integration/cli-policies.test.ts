import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Call, startTally, type Tally } from "../../bench/tally.ts";
import { isAllowed, type IamRequest, type Statement } from "../support/iam.ts";
import { iamRequests } from "../support/iam-requests.ts";
import { type CinderlessUnderTest, startUnderTest } from "../support/local-cinderless.ts";

/**
 * The policies for people (`docs/policies`), against the calls that the commands make. A command runs as a process, everything that it
 * asks of a service is noted, and the policies are asked whether IAM would have allowed it.
 */

const COMMAND = fileURLToPath(new URL("../../cli/cinderless.js", import.meta.url));

// A command is a process of its own, and the machine may be busy with other tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Who may do what; each may also do what those before may. */
const ROLES = ["read-only", "creator", "operator"] as const;
type Role = (typeof ROLES)[number];

const statements = new Map<Role, Statement[]>();
const used = new Map<Role, Set<string>>(ROLES.map((role) => [role, new Set()]));
let directory: string;
let tally: Tally;
let under: CinderlessUnderTest;
let outputs: string;
let calls: Call[] = [];

beforeAll(async () => {
  for (const role of ROLES) {
    const text = await readFile(new URL(`../../docs/policies/${role}.json`, import.meta.url), "utf8");
    statements.set(role, (JSON.parse(text) as { Statement: Statement[] }).Statement);
  }
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
  await under?.stop();
  await tally?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Runs a command through the tally, and gives its answer. */
async function run(...argv: string[]): Promise<Record<string, unknown>> {
  const { PATH = "", HOME = "" } = process.env;
  const variables = { PATH, HOME, ...under.cloud.environment, ...tally.environment };
  const child = spawn(process.execPath, [COMMAND, "--outputs", outputs, ...argv, "--json"], { env: variables });
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

const ARN_OF: Readonly<Record<string, string>> = {
  dynamodb: "arn:aws:dynamodb:us-east-1:000000000000:table/",
  sqs: "arn:aws:sqs:us-east-1:000000000000:",
  lambda: "arn:aws:lambda:us-east-1:000000000000:function:",
  s3: "arn:aws:s3:::",
};

/** What IAM is asked about the last commands, in whole ARNs. */
function asked(): IamRequest[] {
  return calls.flatMap((call) =>
    iamRequests(call, {}).map((request) => ({
      ...request,
      resource: `${ARN_OF[call.service] ?? ""}${request.resource}`,
    })),
  );
}

/** The least role that may do all of it: its policy and those before. Notes the statements that were needed. */
function leastRole(): Role | undefined {
  const requests = asked();
  const all = ROLES.flatMap((role) => statements.get(role) ?? []);
  expect(requests.filter((request) => !isAllowed(all, request))).toEqual([]);
  const least = ROLES.findIndex((_role, index) => {
    const held = ROLES.slice(0, index + 1).flatMap((role) => statements.get(role) ?? []);
    return requests.every((request) => isAllowed(held, request));
  });
  for (const role of ROLES.slice(0, least + 1)) {
    for (const statement of statements.get(role) ?? []) {
      for (const action of [statement.Action].flat()) {
        const narrowed = { ...statement, Action: action };
        if (requests.some((request) => isAllowed([narrowed], request))) {
          used.get(role)?.add(action);
        }
      }
    }
  }
  return ROLES[least];
}

async function roleOf(...argv: string[]): Promise<Role | undefined> {
  calls = [];
  await run(...argv);
  return leastRole();
}

const idOf = (answer: Record<string, unknown>): string => String(answer["id"]);

describe("every command", () => {
  let volume: string;
  let image: string;

  test("that makes something takes a creator", async () => {
    const disk = path.join(directory, "disk.raw");
    writeFileSync(disk, randomBytes(2 ** 20));
    calls = [];
    image = idOf(await run("image", "add", disk, "--name", "disk"));
    expect(leastRole()).toBe("creator");
    calls = [];
    volume = idOf(await run("create", "--size", "1", "--name", "first", "--wait"));
    expect(leastRole()).toBe("creator");
    expect(await roleOf("create", "--size", "1", "--image", image, "--wait")).toBe("creator");
    expect(await roleOf("create", "--size", "1", "--source-volume", volume, "--wait")).toBe("creator");
    calls = [];
    const snapshot = idOf(await run("snapshot", "create", "first", "--name", "kept"));
    expect(leastRole()).toBe("creator");
    expect(await roleOf("snapshot", "set", "kept", "--name", "renamed")).toBe("creator");
    expect(await roleOf("snapshot", "show", "renamed")).toBe("read-only");
    expect(await roleOf("create", "--size", "1", "--snapshot", snapshot, "--wait")).toBe("creator");
    expect(await roleOf("snapshot", "delete", snapshot)).toBe("creator");
    expect(await roleOf("extend", volume, "2")).toBe("creator");
    expect(await roleOf("set", "first", "--property", "a=b")).toBe("creator");
    expect(await roleOf("unset", volume, "--property", "a")).toBe("creator");
  });

  test.each([
    ["list"],
    ["list", "--status", "available"],
    ["snapshot", "list"],
    ["type", "list"],
    ["backend", "list"],
    ["image", "list"],
    ["image", "cache", "list"],
    ["redrive", "list"],
  ])("that only looks takes a reader: %s %s %s", async (...argv) => {
    expect(await roleOf(...argv)).toBe("read-only");
  });

  test("that looks at one thing takes a reader", async () => {
    expect(await roleOf("show", volume)).toBe("read-only");
    expect(await roleOf("watch", volume)).toBe("read-only");
    expect(await roleOf("cost", volume)).toBe("read-only");
    await under.giveUp(JSON.stringify({ volume_id: volume }));
    const [letter] = await under.deadLetters(1);
    expect(await roleOf("redrive", "show", letter?.id ?? "")).toBe("read-only");
  });

  test("that is for everybody's good takes an operator", async () => {
    expect(await roleOf("type", "create", "fast", "--property", "a=b")).toBe("operator");
    expect(await roleOf("type", "show", "fast")).toBe("read-only");
    expect(await roleOf("type", "set", "fast", "--property", "c=d")).toBe("operator");
    expect(await roleOf("type", "create", "slow")).toBe("operator");
    expect(await roleOf("type", "delete", "slow")).toBe("operator");
    expect(await roleOf("quota", "show", "p")).toBe("read-only");
    expect(await roleOf("quota", "set", "p", "--volumes", "5")).toBe("operator");
    expect(await roleOf("service", "list")).toBe("read-only");
    expect(await roleOf("service", "set", "node@first", "--enable")).toBe("operator");
    expect(await roleOf("audit")).toBe("operator");
    expect(await roleOf("image", "cache", "evict", "--all")).toBe("operator");
    expect(await roleOf("image", "delete", image)).toBe("operator");
  });

  test("that creates by a type takes a creator", async () => {
    expect(await roleOf("create", "--size", "1", "--type", "fast")).toBe("creator");
  });

  test("that sends a message again takes an operator", async () => {
    const failed = await under.create({ sizeGib: 1 }, (message) => ({ ...message, request_spec: "none" }));
    await under.settled(failed);
    const [letter] = await under.deadLetters(1);
    const cast = path.join(directory, "cast.json");
    writeFileSync(cast, JSON.stringify({ ...(JSON.parse(letter?.body ?? "{}") as object), request_spec: {} }));
    expect(await roleOf("redrive", letter?.id ?? "", "--message", cast)).toBe("operator");
    expect(await roleOf("redrive", "discard", letter?.id ?? "", "--yes")).toBe("operator");
  });

  test("that deletes takes a creator", async () => {
    expect(await roleOf("delete", volume)).toBe("creator");
  });
});

/** Asked for in cases that the commands above do not come into. */
const RARE: Readonly<Record<Role, readonly string[]>> = {
  // With --stack, of CloudFormation, which the embedded cloud does not serve.
  "read-only": ["cloudformation:DescribeStacks"],
  // Uploads in parts, of more than this image, that are given up.
  creator: ["s3:AbortMultipartUpload"],
  // A type of a name that is there.
  operator: ["dynamodb:GetItem"],
};

test("no policy allows an action that no command asks for", () => {
  for (const role of ROLES) {
    const allowed = new Set((statements.get(role) ?? []).flatMap(({ Action }) => [Action].flat()));
    const unused = [...allowed].filter((action) => used.get(role)?.has(action) !== true);
    expect([role, ...unused.filter((action) => !RARE[role].includes(action))]).toEqual([role]);
  }
});
