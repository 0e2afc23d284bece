import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { revision } from "../verify/mutation/revision.ts";
import type { Measured, TestResults } from "./docs/testing.ts";

/**
 * Runs each harness once and keeps its counts and its duration in docs/test-results.json, from which `npm run docs` makes docs/testing.md.
 * Each number is kept with the commit at which it was measured, so a later commit does not make the page wrong. A harness that fails ends
 * it; the numbers measured before that are kept. Mutation by area is a separate command, because it takes longer than all the others.
 */
const HELP = `Usage: npm run docs:testing [-- --only HARNESS,...]

Runs each harness once and writes its counts and its duration to docs/test-results.json, and the counts of the bug catalog to
docs/mutation.json. \`npm run docs\` makes docs/testing.md of both. Durations are meaningful only on a quiet machine.

  --only LIST   some of tests, faults, chaos, conformance, catalog; the other harnesses keep their earlier numbers

Examples:
  npm run docs:testing && npm run docs
  npm run docs:testing -- --only tests,chaos
`;

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const RESULTS = join(ROOT, "docs/test-results.json");

/** As CI runs it, with a fixed seed. */
const CHAOS = ["--volumes", "60", "--fault-rate", "0.1", "--kills", "2", "--seed", "1"];

type Ran = { stdout: string; seconds: number };

/** Runs a script with this Node. @throws Error with the end of its output when it fails */
function run(...args: string[]): Promise<Ran> {
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

async function measureTests(): Promise<Measured["tests"]> {
  const directory = await mkdtemp(join(tmpdir(), "cinderless-measure-"));
  try {
    const report = join(directory, "tests.json");
    const project = "--project=!console";
    const output = `--outputFile=${report}`;
    const { seconds } = await run("node_modules/vitest/vitest.mjs", "run", project, "--reporter=json", output);
    const { testResults } = JSON.parse(await readFile(report, "utf8")) as {
      testResults: { name: string; assertionResults: unknown[] }[];
    };
    const projects: Measured["tests"]["projects"] = {};
    for (const { name, assertionResults } of testResults) {
      const [, named = "other"] = /\/test\/(\w+)\//.exec(name) ?? [];
      const known = projects[named] ?? { files: 0, tests: 0 };
      projects[named] = { files: known.files + 1, tests: known.tests + assertionResults.length };
    }
    return { projects, lines: await countLines(), seconds };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Lines that are neither blank nor comment alone. */
async function countLines(): Promise<Measured["tests"]["lines"]> {
  const count = async (folders: string): Promise<number> => {
    const files = globSync(`{${folders}}/**/*.{ts,tsx}`, { cwd: ROOT });
    const texts = await Promise.all(files.map((file) => readFile(join(ROOT, file), "utf8")));
    return texts.flatMap((text) => text.split("\n")).filter((line) => !/^\s*(?:$|\/\/|\/?\*)/.test(line)).length;
  };
  return {
    product: await count("core,adapters,lambdas,statemachine,infra,cli"),
    local: await count("local,packages/*/src"),
    tests: await count("test,verify,packages/*/test"),
  };
}

async function measureFaults(): Promise<Measured["faults"]> {
  const { stdout, seconds } = await run("verify/faults/main.ts", "--json");
  const { cells, pairs, violated } = JSON.parse(stdout) as Omit<Measured["faults"], "seconds">;
  return { cells, pairs, violated, seconds };
}

async function measureConformance(): Promise<Measured["conformance"]> {
  const { stdout, seconds } = await run("verify/conformance/main.ts", "--json");
  const { totals } = JSON.parse(stdout) as { totals: Record<"cases" | "vectors", Record<string, number>> };
  return { totals: { cases: totals.cases, vectors: totals.vectors }, seconds };
}

async function measureChaos(): Promise<Measured["chaos"]> {
  const { stdout, seconds } = await run("verify/chaos/main.ts", ...CHAOS, "--json");
  const { volumes, kills, violations, faults } = JSON.parse(stdout) as {
    volumes: number;
    kills: number;
    violations: unknown[];
    faults: Record<string, Record<string, number>>;
  };
  const struck = Object.values(faults).flatMap((kinds) => Object.values(kinds));
  return {
    command: `npm run chaos -- ${CHAOS.join(" ")}`,
    volumes,
    kills,
    faults: struck.reduce((sum, count) => sum + count, 0),
    violations: violations.length,
    seconds,
  };
}

/** The command keeps its own counts. */
async function measureCatalog(): Promise<Measured["catalog"]> {
  const { seconds } = await run("verify/mutation/main.ts", "promises", "--write");
  return { seconds };
}

const HARNESSES: { [Harness in keyof Measured]: () => Promise<Measured[Harness]> } = {
  tests: measureTests,
  faults: measureFaults,
  chaos: measureChaos,
  conformance: measureConformance,
  catalog: measureCatalog,
};

const { values } = parseArgs({ options: { only: { type: "string" }, help: { type: "boolean" } } });
if (values.help === true) {
  process.stdout.write(HELP);
} else {
  await measure(values.only?.split(",") ?? Object.keys(HARNESSES));
}

async function measure(wanted: readonly string[]): Promise<void> {
  for (const name of wanted) {
    if (!Object.hasOwn(HARNESSES, name)) {
      throw new Error(`--only: there is no harness ${name}; there are ${Object.keys(HARNESSES).join(", ")}`);
    }
  }
  for (const name of wanted as (keyof typeof HARNESSES)[]) {
    const [load = 0] = loadavg();
    const measured = await HARNESSES[name]();
    const known = JSON.parse(await readFile(RESULTS, "utf8")) as TestResults;
    const at = { commit: await revision(ROOT), cores: availableParallelism(), load: Math.round(load) };
    await writeFile(RESULTS, `${JSON.stringify({ ...known, [name]: { ...measured, at } }, null, 2)}\n`);
    process.stdout.write(`${name}: ${measured.seconds} s\n`);
  }
  process.stdout.write("kept; `npm run docs` makes docs/testing.md of it\n");
}
