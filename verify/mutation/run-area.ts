import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { randomNumbers } from "../../simulation/virtual-time.ts";
import { AREAS, type AreaName } from "./areas.ts";
import { sampleLines } from "./sample.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Changes that one process tries in a second, measured on two cores; only the size of the sample depends on it. */
const MUTANTS_PER_SECOND_AND_JOB = 1;

/** A change that no test caught. */
export type Survivor = { file: string; line: number; mutator: string; replacement: string };

/** The result of an area's sample. */
export type AreaScore = {
  area: AreaName;
  /** Caught by a failed test or by a test that no longer ended. */
  killed: number;
  survived: number;
  /** Percent of all changes that were caught. */
  score: number;
  /** Lines of code in the sample, and in the area. */
  lines: number;
  allLines: number;
  survivors: Survivor[];
};

/** The used part of Stryker's report (mutation-testing-report-schema). */
type Report = {
  files: Record<
    string,
    {
      mutants: {
        status: string;
        mutatorName: string;
        replacement?: string;
        location: { start: { line: number } };
      }[];
    }
  >;
};

/**
 * Runs Stryker on a sample of an area. The tests run against a copy of the repository in a temporary directory of its own, which
 * Stryker makes and removes.
 *
 * @throws Error with Stryker's output when the tests fail before anything was changed
 */
export async function runArea(
  area: AreaName,
  { seconds, seed, jobs }: { seconds: number; seed: number; jobs: number },
): Promise<AreaScore> {
  const { sources, tests } = AREAS[area];
  const mutants = seconds * jobs * MUTANTS_PER_SECOND_AND_JOB;
  const { patterns, lines, allLines } = sampleLines(ROOT, sources, mutants, randomNumbers(seed));
  const directory = await mkdtemp(join(tmpdir(), "cinderless-mutation-"));
  try {
    const reportFile = join(directory, "report.json");
    const configFile = join(directory, "stryker.json");
    await writeFile(configFile, JSON.stringify(strykerConfig(patterns, reportFile, jobs)));
    await runStryker(configFile, tests);
    const report = JSON.parse(await readFile(reportFile, "utf8")) as Report;
    return { area, ...scoreOf(report), lines, allLines };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function strykerConfig(mutate: readonly string[], reportFile: string, concurrency: number) {
  return {
    testRunner: "vitest",
    plugins: ["@stryker-mutator/vitest-runner"],
    vitest: { configFile: "verify/mutation/vitest.config.ts", related: false },
    mutate,
    concurrency,
    coverageAnalysis: "perTest",
    // A change in code that runs once, when a module is loaded, would need every test to run in a process of its own.
    ignoreStatic: true,
    // TypeScript 7 has no JavaScript API to rewrite the configuration with, and Node strips the types.
    tsconfigFile: "none.json",
    // Not in node_modules, of which vitest runs no tests.
    tempDirName: ".stryker-tmp",
    ignorePatterns: [".cinderless", "cdk.out"],
    reporters: ["json"],
    jsonReporter: { fileName: reportFile },
    allowEmpty: true,
    timeoutMS: 10_000,
    // Stryker first runs all tests of the area unchanged. Its default of five minutes is too short on a busy machine.
    dryRunTimeoutMinutes: 30,
    logLevel: "error",
  };
}

function runStryker(configFile: string, tests: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [join(ROOT, "node_modules/@stryker-mutator/core/bin/stryker.js"), "run", configFile],
      { cwd: ROOT, env: { ...process.env, MUTATION_TESTS: tests.join("\n") }, stdio: ["ignore", "pipe", "pipe"] },
    );
    let output = "";
    const keep = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) {
        resolve();
      } else {
        reject(new Error(`Stryker ended with ${code}:\n${output.slice(0, 4000)}`));
      }
    });
  });
}

/** Changes that could not be run at all (they do not parse, say) count neither way. */
function scoreOf({ files }: Report): Pick<AreaScore, "killed" | "survived" | "score" | "survivors"> {
  const mutants = Object.entries(files).flatMap(([file, { mutants }]) =>
    mutants.map((mutant) => ({ file, ...mutant })),
  );
  const killed = mutants.filter(({ status }) => status === "Killed" || status === "Timeout").length;
  const alive = mutants.filter(({ status }) => status === "Survived" || status === "NoCoverage");
  const all = killed + alive.length;
  return {
    killed,
    survived: alive.length,
    score: all === 0 ? 100 : (100 * killed) / all,
    survivors: alive.map(({ file, location, mutatorName, replacement }) => ({
      file,
      line: location.start.line,
      mutator: mutatorName,
      replacement: replacement ?? "",
    })),
  };
}
