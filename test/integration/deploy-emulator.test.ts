import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";

const SCRIPT = fileURLToPath(new URL("../../scripts/deploy-emulator.ts", import.meta.url));

function deploy(endpoint: string | undefined, ...options: string[]) {
  const { AWS_ENDPOINT_URL: _none, ...environment } = process.env;
  const env = endpoint === undefined ? environment : { ...environment, AWS_ENDPOINT_URL: endpoint };
  return spawnSync(process.execPath, [SCRIPT, ...options], { env, encoding: "utf8" });
}

describe("deploy:emulator", () => {
  it.each([
    ["where none is named", undefined, "no emulator is named; set AWS_ENDPOINT_URL"],
    ["where none is reachable", "http://127.0.0.1:1", "no emulator is reachable at http://127.0.0.1:1"],
    ["of what is not a valid URL", "nowhere", "deploy:emulator: AWS_ENDPOINT_URL is not a valid URL: nowhere"],
  ])("says so %s, in one line", (_where, endpoint, line) => {
    const { status, stderr, stdout } = deploy(endpoint);
    expect(stderr).toContain(line);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stdout).toBe("");
    expect(status).toBe(1);
  });

  it("prints its usage", () => {
    expect(deploy(undefined, "--help").stdout).toMatch(/Usage:[\s\S]*Examples:/);
  });
});

/** An `npx` that notes its commands, writes the outputs of a deploy, and answers creates. It fails commands that have the word FAIL. */
const NPX = `#!${process.execPath}
const { appendFileSync, writeFileSync } = require("node:fs");
const words = process.argv.slice(2);
appendFileSync(process.env.COMMANDS, words.filter((word) => !word.startsWith("-") && !word.includes("/")).join(" ") + "\\n");
const file = words[words.indexOf("--outputs-file") + 1];
if (words.includes("--outputs-file")) writeFileSync(file, JSON.stringify({ Cinderless: { VolumesTableName: "kept" } }));
if (words.includes("--json")) console.log(JSON.stringify({ id: "1", status: "available" }));
if (words.includes(process.env.FAIL)) process.exit(1);
`;

/** Runs the script in an empty directory against a server that only answers, with the `npx` above. */
async function deployWithNpx(fail: string, ...options: string[]) {
  const directory = mkdtempSync(path.join(tmpdir(), "cinderless-deploy-test-"));
  const server = createServer((_request, response) => void response.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  writeFileSync(path.join(directory, "npx"), NPX, { mode: 0o755 });
  const commands = path.join(directory, "commands");
  const env = {
    ...process.env,
    PATH: `${directory}${path.delimiter}${process.env["PATH"] ?? ""}`,
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    COMMANDS: commands,
    FAIL: fail,
  };
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, ...options], { cwd: directory, env }).catch(
    (error: { stdout: string }) => error,
  );
  const outputs = path.join(directory, "dist", "emulator", "outputs.json");
  return {
    stdout,
    last: readFileSync(commands, "utf8").trim().split("\n").at(-1),
    outputs: existsSync(outputs) ? (JSON.parse(readFileSync(outputs, "utf8")) as unknown) : undefined,
  };
}

describe("deploy:emulator --keep", () => {
  it.each([
    ["when every command succeeded", "none"],
    ["when a command failed", "list"],
  ])("leaves the stack and its outputs, and names the file, %s", async (_when, fail) => {
    const { stdout, last, outputs } = await deployWithNpx(fail, "--keep");
    expect(outputs).toEqual({ Cinderless: { VolumesTableName: "kept" } });
    expect(stdout.trim().split("\n").at(-1)).toBe("kept: the stack, and its outputs in dist/emulator/outputs.json");
    expect(last).not.toContain("destroy");
  });

  it("is needed for both: without it the stack is destroyed and no outputs are left", async () => {
    const { last, outputs } = await deployWithNpx("none");
    expect([last, outputs]).toEqual(["cdk destroy", undefined]);
  });
});
