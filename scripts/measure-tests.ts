import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestResults } from "./docs/testing.ts";

/**
 * Runs every harness once and keeps its counts and its duration in docs/test-results.json, from which `npm run docs` makes
 * docs/testing.md. Takes some ten minutes of a quiet machine; a harness that fails ends it, and nothing is written.
 */
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const RESULTS = join(ROOT, "docs/test-results.json");

const CHAOS = ["--volumes", "200", "--fault-rate", "0.1", "--kills", "3", "--seed", "1"];

type Timed = { stdout: string; seconds: number };

/** Runs a script with this Node. @throws Error with the end of its output when it fails */
function run(...args: string[]): Promise<Timed> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const options = { cwd: ROOT, maxBuffer: 2 ** 28, env: { ...process.env, NO_COLOR: "1" } };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      if (error === null) {
        resolve({ stdout, seconds: Math.round((performance.now() - began) / 1000) });
      } else {
        reject(new Error(`${args.join(" ")} failed:\n${(stdout + stderr).slice(-2000)}`));
      }
    });
  });
}

async function measureTests(directory: string): Promise<TestResults["tests"]> {
  const report = join(directory, "tests.json");
  const { seconds } = await run("node_modules/vitest/vitest.mjs", "run", "--reporter=json", `--outputFile=${report}`);
  const { testResults } = JSON.parse(await readFile(report, "utf8")) as {
    testResults: { name: string; assertionResults: unknown[] }[];
  };
  const projects: TestResults["tests"]["projects"] = {};
  for (const { name, assertionResults } of testResults) {
    const project = /\/test\/(\w+)\//.exec(name)?.[1] ?? "other";
    const known = projects[project] ?? { files: 0, tests: 0 };
    projects[project] = { files: known.files + 1, tests: known.tests + assertionResults.length };
  }
  return { projects, seconds };
}

function conformanceTotals(text: string): TestResults["conformance"]["totals"] {
  const { cases, vectors } = (JSON.parse(text) as { totals: TestResults["conformance"]["totals"] }).totals;
  return { ...(cases && { cases }), ...(vectors && { vectors }) };
}

const directory = await mkdtemp(join(tmpdir(), "cinderless-measure-"));
try {
  const tests = await measureTests(directory);
  const faults = await run("verify/faults/main.ts", "--json");
  const { cells, pairs, violated } = JSON.parse(faults.stdout) as { cells: number; pairs: number; violated: number };
  const conformance = await run("verify/conformance/main.ts", "--json");
  const chaos = await run("verify/chaos/main.ts", ...CHAOS, "--json");
  const {
    volumes,
    kills,
    violations,
    faults: struck,
  } = JSON.parse(chaos.stdout) as {
    volumes: number;
    kills: number;
    violations: unknown[];
    faults: Record<string, Record<string, number>>;
  };
  const results: TestResults = {
    cores: availableParallelism(),
    tests,
    faults: { cells, pairs, violated, seconds: faults.seconds },
    conformance: { totals: conformanceTotals(conformance.stdout), seconds: conformance.seconds },
    chaos: {
      command: `npm run chaos -- ${CHAOS.join(" ")}`,
      volumes,
      kills,
      faults: Object.values(struck)
        .flatMap((kinds) => Object.values(kinds))
        .reduce((sum, count) => sum + count, 0),
      violations: violations.length,
      seconds: chaos.seconds,
    },
  };
  await writeFile(RESULTS, `${JSON.stringify(results, null, 2)}\n`);
  process.stdout.write(`written: docs/test-results.json; \`npm run docs\` makes docs/testing.md of it\n`);
} finally {
  await rm(directory, { recursive: true, force: true });
}
