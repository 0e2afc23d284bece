import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { runChild, startChild } from "../support/child.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const DEMO = "local/demo/main.ts";
const TIMEOUT_MILLISECONDS = 120_000;

type Volume = {
  name: string;
  id: string;
  status: string;
  host: string;
  bootable: boolean;
  attempts: Record<string, { host: string; outcome: string; error?: string }>;
  fault: { error: string } | null;
  transitions: number;
};

type Document = {
  ok: boolean;
  volumes: Volume[];
  notifications: { event_type: string; message_id: string; volume_id: string; record_status: string }[];
  transitions: number;
  files: { path: string; apparent_bytes: number; allocated_bytes: number }[];
  comparisons: { volume: string; compared_bytes: number; bytes_behind: number; differs_at: number | null }[];
  expectations: { what: string; holds: boolean; found: string }[];
};

const GIB = 2 ** 30;

describe("the demonstration", { timeout: TIMEOUT_MILLISECONDS }, () => {
  it.concurrent("creates every volume as it should and leaves nothing behind", async () => {
    using temporary = temporaryDirectory();
    const { status, stdout, stderr } = await runChild(DEMO, ["--json"], { TMPDIR: temporary.path });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const document = JSON.parse(stdout) as Document;
    expect(document.expectations.filter(({ holds }) => !holds)).toEqual([]);
    expect(document.ok).toBe(true);
    expect(document.volumes.map(({ name, status: ended }) => `${name} ${ended}`)).toEqual([
      "raw available",
      "bootable available",
      "from-snapshot available",
      "clone available",
      "second-try available",
      "refused error",
    ]);
    expectSecondTry(document);
    expectBytes(document);
    expectNotifications(document);
    expect(document.transitions).toBe(document.volumes.reduce((sum, { transitions }) => sum + transitions, 0));
    expect(readdirSync(temporary.path)).toEqual([]);
  });

  it.concurrent("ends with status 1 and names what did not come true when a volume ends otherwise", async () => {
    const { status, stdout } = await runChild(DEMO, ["--fail-with", "ImageCopyFailure"]);
    expect(status).toBe(1);
    expect(stdout).toContain("✘ second-try is available: found error (ImageCopyFailure: ");
    expect(stdout).toMatch(/✘ second-try takes 2 attempts: found 1\n/);
    expect(stdout).not.toContain("    at ");
    expect(stdout.split("\n").filter((line) => line.includes("✔"))).toEqual([]);
  });

  it("cleans up when it is interrupted", async () => {
    using temporary = temporaryDirectory();
    const child = startChild(DEMO, [], { TMPDIR: temporary.path });
    await child.says("bootable");
    child.kill("SIGINT");
    const { status, stderr } = await child.ended;
    expect({ status, stderr }).toEqual({ status: 130, stderr: "\n  stopping ...\n" });
    expect(readdirSync(temporary.path)).toEqual([]);
  });
});

it("explains itself, and refuses an option that it does not have", async () => {
  const help = await runChild(DEMO, ["--help"]);
  expect(help.status).toBe(0);
  expect(help.stdout).toContain("--keep");
  const refused = await runChild(DEMO, ["--fast"]);
  expect(refused).toEqual({ status: 2, stdout: "", stderr: "error: unknown option '--fast'\n" });
});

function expectSecondTry({ volumes }: Document): void {
  const retried = volumes.find(({ name }) => name === "second-try");
  const [first, second] = [retried?.attempts["1"], retried?.attempts["2"]];
  expect(first).toMatchObject({
    host: "demo@flaky#flaky",
    outcome: "rescheduled",
    error: "VolumeBackendAPIException",
  });
  expect(second).toMatchObject({ host: retried?.host, outcome: "created" });
  expect(retried?.host).not.toBe(first?.host);
  expect(volumes.find(({ name }) => name === "refused")?.fault?.error).toBe("ImageUnacceptable");
}

function expectBytes({ comparisons, files }: Document): void {
  expect(comparisons.map((one) => [one.volume, one.compared_bytes + one.bytes_behind, one.differs_at])).toEqual([
    ["raw", GIB, null],
    ["bootable", GIB, null],
    ["from-snapshot", GIB, null],
    ["clone", 2 * GIB, null],
    ["second-try", GIB, null],
  ]);
  expect(files).toHaveLength(6);
  for (const { apparent_bytes: apparent, allocated_bytes: allocated } of files) {
    expect(allocated).toBeLessThan(apparent / 100);
  }
}

function expectNotifications({ notifications, volumes }: Document): void {
  const ends = notifications.filter(({ event_type: type }) => type === "volume.create.end");
  const available = volumes.filter(({ status }) => status === "available");
  expect(new Set(ends.map(({ volume_id: id }) => id))).toEqual(new Set(available.map(({ id }) => id)));
  expect(ends.every(({ record_status: status }) => status === "available")).toBe(true);
}
