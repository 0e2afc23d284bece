import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { FUNCTION_NAMES } from "../../core/settings/functions.ts";
import { findUncovered, NOTHING_UNCOVERED, type Uncovered } from "./coverage.ts";
import { type Deployment, readDeployment } from "../../simulation/deployment.ts";
import { documentOf } from "./document.ts";
import { loadFunctions } from "../../simulation/functions.ts";
import { INVARIANTS } from "./invariants.ts";
import {
  baselineOf,
  type Cell,
  type CellResult,
  cellsMeant,
  discover,
  type Discovered,
  drawPairs,
  nameOf,
  sampleOf,
  scenariosMeant,
} from "./matrix.ts";
import { type Options, UsageError } from "./options.ts";
import { pictureOf } from "./picture.ts";
import { isPortMethod } from "../../simulation/port-methods.ts";
import type { Share, ShareResult } from "./worker.ts";
import { summarize, type Summary } from "./summary.ts";
import { matrixText } from "./text-report.ts";
import { randomNumbers } from "../../simulation/virtual-time.ts";

/** Runs cells in threads, each of which takes every n-th one. */
async function runCells(
  deployment: Deployment,
  discovered: readonly Discovered[],
  cells: readonly Cell[],
  { seed, jobs }: Options,
): Promise<ShareResult> {
  const baselines = new Map(discovered.map(({ scenario, run }) => [scenario.name, baselineOf(run)]));
  const threads = Math.max(1, Math.min(jobs, Math.ceil(cells.length / 50)));
  const shares = await Promise.all(
    Array.from({ length: threads }, (_thread, thread) =>
      runShare({ deployment, baselines, cells: cells.filter((_cell, index) => index % threads === thread), seed }),
    ),
  );
  return { results: shares.flatMap(({ results }) => results), called: shares.flatMap(({ called }) => called) };
}

/** A run leaves much garbage and keeps nothing: collecting it rarely saves an eighth of the time. */
const YOUNG_GENERATION_MIB = 128;

function runShare(share: Share): Promise<ShareResult> {
  return new Promise((resolve, reject) => {
    const results: CellResult[] = [];
    const called: string[] = [];
    const worker = new Worker(new URL("worker.ts", import.meta.url), {
      workerData: share,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    });
    worker.on("message", (batch: ShareResult) => {
      results.push(...batch.results);
      called.push(...batch.called);
    });
    worker.on("error", reject);
    worker.on("exit", (code) => {
      if (code === 0 && results.length === share.cells.length) {
        resolve({ results, called });
      } else {
        reject(new Error(`a thread ended with ${code} after ${results.length} of ${share.cells.length} cells`));
      }
    });
  });
}

/** Problems of a scenario's own run, before any fault of a cell. */
function failuresOfScenarios(discovered: readonly Discovered[]): string[] {
  return discovered.flatMap(({ scenario, run }) => [
    ...run.ends
      .filter((end) => end !== scenario.end)
      .map((end) => `scenario "${scenario.name}" by itself ends with ${end}, not ${scenario.end}`),
    ...(run.decidedSeconds > (scenario.withinSeconds ?? Infinity)
      ? [
          `scenario "${scenario.name}" by itself is decided after ${run.decidedSeconds.toFixed(0)} s, not within ${scenario.withinSeconds ?? 0} s`,
        ]
      : []),
    ...run.violations.map(({ invariant, text }) => `scenario "${scenario.name}" by itself: ${invariant}: ${text}`),
    ...(scenario.alarms ?? [])
      .filter((alarm) => !run.alarmed.includes(alarm))
      .map((alarm) => `scenario "${scenario.name}" by itself: the alarm ${alarm} does not go off`),
    ...run.missed.map((fault) => `scenario "${scenario.name}" does not reach its own fault at ${fault.visit}`),
  ]);
}

function reproduction(cell: Cell, seed: number): string {
  return `npm run faults -- --only ${JSON.stringify(nameOf(cell))} --seed ${seed}`;
}

/** For each kind of violation the simplest cell is shown: fewer faults, and an earlier scenario. */
function violationLines(results: readonly CellResult[], seed: number): string[] {
  const groups = new Map<string, { said: string; first: CellResult; count: number }>();
  for (const result of results) {
    for (const { invariant, text } of result.violations) {
      const kind = text.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|\d+/g, "");
      const key = `${invariant} ${kind} ${result.cell.functionName}`;
      const known = groups.get(key);
      const isSimpler = known?.first.cell.second !== undefined && result.cell.second === undefined;
      const said = `invariant ${invariant} (${INVARIANTS[invariant] ?? "the harness itself"}): ${text}`;
      const shown = known === undefined || isSimpler ? { said, first: result } : known;
      groups.set(key, { said: shown.said, first: shown.first, count: (known?.count ?? 0) + 1 });
    }
  }
  return [...groups.values()].flatMap(({ said, first, count }) => [
    `  ${said}${count > 1 ? ` (${count} cells)` : ""}`,
    `    ${reproduction(first.cell, seed)}`,
  ]);
}

function uncoveredLines({ states, functions, calls }: Uncovered): string[] {
  return [
    ...states.map((state) => `  state ${state} is entered by no scenario`),
    ...functions.map((name) => `  function ${name} is called by no scenario`),
    ...calls.map((call) => `  ${call} is made by no scenario`),
  ];
}

/** Runs the cells that are meant and reports of them. @returns the exit status @throws UsageError */
export async function runFaults(options: Options): Promise<number> {
  const began = performance.now();
  await loadFunctions();
  const deployment = readDeployment();
  const discovered = await discover(deployment, options.seed, scenariosMeant(options.only));
  const broken = failuresOfScenarios(discovered);
  const meant =
    options.only === undefined ? discovered.flatMap(({ cells }) => cells) : cellsMeant(discovered, options.only);
  const singles = sampleOf(meant, options.every, options.seed);
  if (singles.length === 0) {
    throw new UsageError(`--only ${JSON.stringify(options.only)} means no cell`);
  }
  const pairs = options.only === undefined ? drawPairs(discovered, options.pairs, randomNumbers(options.seed)) : [];
  const { results, called } = await runCells(deployment, discovered, [...singles, ...pairs], options);
  const isWhole = options.only === undefined;
  const uncovered = isWhole ? findUncovered(deployment, discovered, called, isPortMethod) : NOTHING_UNCOVERED;
  const summary = summarize(results, FUNCTION_NAMES);
  const violated = results.filter(({ violations }) => violations.length > 0);
  const missing = uncoveredLines(uncovered);
  const seconds = (performance.now() - began) / 1000;
  const counts = {
    cells: singles.length,
    of: meant.length,
    pairs: pairs.length,
    violated: violated.length,
    seconds,
  };
  if (options.write) {
    await writeDocuments(summary, counts, options);
  }
  if (options.json) {
    const violations = violated.map((result) => ({ name: nameOf(result.cell), violations: result.violations }));
    process.stdout.write(
      `${JSON.stringify({ seed: options.seed, ...counts, violations, broken, uncovered, summary })}\n`,
    );
  } else {
    printText(summary, violated, [...broken.map((line) => `  ${line}`), ...missing], counts, options);
  }
  return violated.length + missing.length + broken.length === 0 ? 0 : 1;
}

/** How many cells were run, of how many, and how long it took. */
export type Counts = { cells: number; of: number; pairs: number; violated: number; seconds: number };

function printText(
  summary: Summary,
  violated: readonly CellResult[],
  problems: readonly string[],
  { cells, of, pairs, seconds }: Counts,
  { seed }: Options,
): void {
  const lines = [matrixText(summary), ""];
  if (problems.length > 0) {
    lines.push("Not covered, or broken before any fault:", ...problems, "");
  }
  if (violated.length > 0) {
    lines.push("Violations, with the first cell of each kind:", ...violationLines(violated, seed), "");
  }
  const sum = `${cells === of ? cells : `${cells} of ${of}`} cells of one fault and ${pairs} of two, seed ${seed}, in ${seconds.toFixed(0)} s`;
  lines.push(`${sum}: ${violated.length} violate an invariant, ${problems.length} problems of coverage`);
  process.stdout.write(`${lines.join("\n")}\n`);
}

async function writeDocuments(summary: Summary, counts: Counts, { seed }: Options): Promise<void> {
  const docs = fileURLToPath(new URL("../../docs/", import.meta.url));
  if (!existsSync(docs)) {
    throw new UsageError(`--write: there is no folder ${docs}`);
  }
  await writeFile(`${docs}fault-matrix.svg`, pictureOf(summary));
  await writeFile(`${docs}fault-matrix.md`, documentOf(summary, counts, seed));
}
