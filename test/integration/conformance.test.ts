import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CaseResult, runCases } from "../../verify/conformance/case-run.ts";
import { CASES } from "../support/conformance.ts";

const MAIN = new URL("../../verify/conformance/main.ts", import.meta.url).pathname;

describe("cases through the runner", () => {
  let results: Map<string, CaseResult>;

  /** A case of each way to end, and of each port that can be made to fail; and two that cannot be compared. */
  const EXPECTED: Record<string, unknown> = {
    "ok/raw-model_update": { kind: "same as both" },
    "ok/image-cloned": { kind: "same as both" },
    "ok/source_vol-bootable-no-meta": { kind: "same as Cinder" },
    "ok/migration_status-target-use_quota-false": { kind: "same as seed" },
    "manager/driver-fails-reschedule": { kind: "same as Cinder" },
    "fail/driver-not-initialized/allow=1,spec=present,retry=with": { numbers: [15] },
    "fail/unknown-type/allow=1,spec=present,retry=without": { numbers: [18] },
    "fail/snap-origin-lookup-fails (MetadataUpdateFailure)/allow=1,spec=empty,retry=with": { numbers: [7, 18] },
    "fail/image-show-ImageNotFound/allow=0,spec=present,retry=with": { numbers: [18] },
    "ok/notify-end-CinderException": { numbers: [17] },
    "ok/downloading-status-db-CinderException": { numbers: [8] },
    "resched/scheduler-cast-CinderException": { numbers: [12, 18] },
  };

  beforeAll(async () => {
    const first = CASES.find(({ case: name }) => name === "ok/raw-model_update");
    const wrong = {
      ...first,
      case: "wrong",
      cinder: null,
      seed: { ...first?.seed, driver_calls: ["create_cloned_volume"] },
    };
    const unknown = { ...first, case: "unknown", given: { ...(first?.given as object), encrypted: true } };
    const chosen = CASES.filter(({ case: name }) => name in EXPECTED);
    const cases = [...chosen, wrong, unknown] as typeof CASES;
    results = new Map((await runCases(cases)).map((result) => [result.name, result]));
  });

  it.each(Object.entries(EXPECTED))("%s", (name, verdict) => {
    expect(results.get(name)?.verdict).toMatchObject(verdict as object);
  });

  it("names the field of a difference that nothing explains", () => {
    expect(results.get("wrong")?.verdict).toMatchObject({
      kind: "different",
      fields: [{ field: "driver_calls", from: "seed", expected: ["create_cloned_volume"], actual: ["create_volume"] }],
    });
  });

  it("reports a case with a key that it does not know, and replays the others", () => {
    expect(results.get("unknown")?.verdict).toMatchObject({
      kind: "error",
      message: expect.stringContaining("encrypted"),
    });
  });
});

describe("the command", () => {
  const directory = mkdtempSync(path.join(tmpdir(), "cinderless-conformance-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const run = (...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      execFile(process.execPath, [MAIN, ...argv], (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
      });
    });
  const fileWith = (content: unknown): string => {
    const file = path.join(directory, "file.json");
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
    return file;
  };

  it("compares vectors of a file, and fails by one that differs", async () => {
    const vector = { value: 10, req: "= 10", out: { result: false } };
    const { code, stdout } = await run("--vectors", fileWith({ extra_specs_match: [vector] }));
    expect(code).toBe(1);
    expect(stdout).toContain("extra_specs_match/1: DIFFERENT");
    expect(stdout.trimEnd().split("\n").at(-1)).toBe("0 cases; 1 vectors: 1 different; 1 unexplained");
  });

  it("prints everything as one JSON document", async () => {
    const vector = { value: 10, req: "= 10", out: { result: true } };
    const { code, stdout } = await run("--json", "--vectors", fileWith({ extra_specs_match: [vector] }));
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ totals: { vectors: { "same as Cinder": 1 }, unexplained: 0 } });
  });

  it("fills a volume with an image of a directory, through the flow and by the driver alone", async () => {
    const corpus = new URL("../data/images/", import.meta.url);
    const { images } = JSON.parse(readFileSync(new URL("expected.json", corpus), "utf8")) as {
      images: { file: string; verdict: string }[];
    };
    const image = images.find(({ file, verdict }) => file.startsWith("q2-") && verdict === "accept");
    const chosen = mkdtempSync(path.join(directory, "images-"));
    copyFileSync(new URL(image?.file ?? "", corpus), path.join(chosen, image?.file ?? ""));
    writeFileSync(path.join(chosen, "expected.json"), JSON.stringify({ images: [image] }));
    const { code, stdout } = await run("--images", chosen);
    expect(stdout.trimEnd().split("\n").at(-1)).toBe("1 images: 1 as expected");
    expect(code).toBe(0);
  });

  it("fails by a case that cannot be read", async () => {
    const { code, stdout } = await run("--cases", fileWith([{ case: "a", given: { new: 1 } }]));
    expect(code).toBe(1);
    expect(stdout).toContain("a: ERROR: ");
  });

  it.each([
    ["a file that is not there", ["--cases", "/nowhere.json"], "/nowhere.json: ENOENT"],
    ["a file that is not valid JSON", ["--cases", () => fileWith("[")], "not valid JSON"],
    [
      "a part of a name that none has",
      ["--only", "nothing-of-that-name"],
      "no case and no vector has nothing-of-that-name",
    ],
    ["an unknown option", ["--case", "x"], "unknown option '--case'"],
  ] as [string, (string | (() => string))[], string][])("refuses %s in one line", async (_what, argv, message) => {
    const { code, stdout, stderr } = await run(...argv.map((word) => (typeof word === "string" ? word : word())));
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("    at ");
  });

  it("prints its usage", async () => {
    const { code, stdout } = await run("--help");
    expect(code).toBe(0);
    expect(stdout).toContain("npm run conformance -- --cases other-cases.json");
  });
});
