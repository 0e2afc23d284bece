import { readFile } from "node:fs/promises";
import type { Deployment } from "../../simulation/deployment.ts";
import { loadFunctions } from "../../simulation/functions.ts";
import { type Cell, cellsMeant, discover, type Discovered, nameOf, runCell } from "../faults/matrix.ts";
import { SCENARIOS } from "../faults/scenarios.ts";
import { randomNumbers } from "../../simulation/virtual-time.ts";

/**
 * Looks for one cell of the fault matrix that breaks a promise, and prints it as JSON, or null: `node verify/mutation/first-breach.ts
 * DEPLOYMENT [CELL...]`. DEPLOYMENT is a file with the result of readDeployment, or "" to synthesise the template. The name of a scenario
 * alone means its run without a fault. Without a cell it tries all of them in random order, so that a bug that many cells show is found soon.
 */
const SEED = 1;

type Breach = { cell: string; said: string };

async function firstBreach(deploymentFile: string, wanted: readonly string[]): Promise<Breach | null> {
  const deployment = await deploymentOf(deploymentFile);
  await loadFunctions();
  const names = new Set(wanted.map((cell) => cell.split("/")[0]));
  const chosen = SCENARIOS.filter(({ name }) => names.size === 0 || names.has(name));
  for (const name of names) {
    if (!chosen.some((scenario) => scenario.name === name)) {
      throw new Error(`the matrix has no scenario ${JSON.stringify(name)}`);
    }
  }
  const discovered = await discover(deployment, SEED, chosen);
  for (const each of discovered) {
    const said = breachOf(each);
    if (said !== undefined) {
      return { cell: each.scenario.name, said };
    }
  }
  for (const cell of cellsOf(discovered, wanted)) {
    const scenario = discovered.find((each) => each.scenario.name === cell.scenario);
    const [violation] = scenario === undefined ? [] : (await runCell(deployment, scenario, cell, SEED)).violations;
    if (violation !== undefined) {
      return { cell: nameOf(cell), said: violation.text };
    }
  }
  return null;
}

async function deploymentOf(file: string): Promise<Deployment> {
  if (file !== "") {
    return JSON.parse(await readFile(file, "utf8")) as Deployment;
  }
  // The CDK takes more time to load than everything else, which a run with a known deployment need not wait for.
  const { readDeployment } = await import("../../simulation/deployment.ts");
  return readDeployment();
}

/** The first problem of a scenario's run without a fault of a cell. */
function breachOf({ scenario, run }: Discovered): string | undefined {
  const wrongEnd = run.ends.find((end) => end !== scenario.end);
  if (run.violations[0] !== undefined) {
    return run.violations[0].text;
  }
  if (wrongEnd !== undefined) {
    return `it ends with ${wrongEnd}, not ${scenario.end}`;
  }
  const silent = scenario.alarms?.find((alarm) => !run.alarmed.includes(alarm));
  if (silent !== undefined) {
    return `the alarm ${silent} does not go off`;
  }
  return run.decidedSeconds > (scenario.withinSeconds ?? Infinity)
    ? `it is decided after ${run.decidedSeconds.toFixed(0)} s`
    : undefined;
}

/** The cells to try, in random order. @throws Error when a wanted name means none */
function cellsOf(discovered: readonly Discovered[], wanted: readonly string[]): Cell[] {
  const random = randomNumbers(SEED);
  const cells =
    wanted.length === 0
      ? discovered.flatMap((each) => each.cells)
      : wanted.filter((name) => name.includes("/")).flatMap((name) => meant(discovered, name));
  return cells
    .map((cell) => ({ cell, order: random() }))
    .toSorted((one, other) => one.order - other.order)
    .map(({ cell }) => cell);
}

function meant(discovered: readonly Discovered[], name: string): Cell[] {
  const cells = cellsMeant(discovered, name);
  if (cells.length === 0) {
    throw new Error(`the matrix has no cell ${JSON.stringify(name)}`);
  }
  return cells;
}

const [, , deploymentFile = "", ...wanted] = process.argv;
process.stdout.write(`${JSON.stringify(await firstBreach(deploymentFile, wanted))}\n`);
// Work that a fault has cut off may wait for ever.
process.exit(0);
