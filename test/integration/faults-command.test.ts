import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

/** The command as people run it; the whole matrix takes minutes, so these are corners of it. */

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

type Ended = { code: number; stdout: string; stderr: string };

function runFaults(...options: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["verify/faults/main.ts", ...options], { cwd: ROOT }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
  });
}

describe("npm run faults", () => {
  it("tries every fault at the last step of a create, and finds nothing broken", async () => {
    const { code, stdout } = await runFaults("--only", "raw/CreateVolumeOnFinish", "--jobs", "1");
    expect(stdout).toMatch(/\d{2} cells of one fault and 0 of two, seed 1, in \d+ s: 0 violate an invariant/);
    expect(code).toBe(0);
  });

  it("ends in the same way for the same seed", async () => {
    const options = ["--only", "rescheduled/RescheduleVolume/twice at once", "--seed", "7", "--json"];
    const [one, other] = await Promise.all([runFaults(...options), runFaults(...options)]);
    const { seconds: _seconds, ...result } = JSON.parse(one.stdout) as Record<string, unknown>;
    const { seconds: _otherSeconds, ...again } = JSON.parse(other.stdout) as Record<string, unknown>;
    expect(result).toMatchObject({ seed: 7, cells: 1, violated: 0 });
    expect(again).toEqual(result);
  });

  it("runs the pair of faults that a reproduction names", async () => {
    const pair = "raw/CreateRawVolume#1/driver.createVolume#1/dies after + CreateVolumeOnFinish#1/States.Runtime";
    const { code, stdout } = await runFaults("--only", pair, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ cells: 1, violated: 0 });
    expect(code).toBe(0);
  });

  it("says in one line what is wrong with its options", async () => {
    const unknown = await runFaults("--only", "NoSuchState");
    expect(unknown).toMatchObject({ code: 2, stdout: "" });
    expect(unknown.stderr).toBe('faults: --only "NoSuchState" means no cell\nTry: npm run faults -- --help\n');
    expect((await runFaults("--seed", "x")).stderr).toContain('--seed must be a whole number from 0, not "x"');
    expect((await runFaults("--write", "--only", "raw")).stderr).toContain("--write needs the whole matrix");
    expect((await runFaults("--write", "--every", "2")).stderr).toContain("--write needs the whole matrix");
    expect((await runFaults("--every", "0")).stderr).toContain('--every must be a whole number from 1, not "0"');
  });

  it("helps", async () => {
    const { code, stdout } = await runFaults("--help");
    expect(stdout).toContain("Examples:");
    expect(code).toBe(0);
  });
});
