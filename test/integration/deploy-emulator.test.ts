import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

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
