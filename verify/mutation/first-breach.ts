import { loadFunctions } from "../faults/functions.ts";
import { readDeployment } from "../faults/deployment.ts";
import { cellsMeant, discover, nameOf, runCell } from "../faults/matrix.ts";
import { SCENARIOS } from "../faults/scenarios.ts";
import { randomNumbers } from "../faults/virtual-time.ts";

/**
 * Looks for one cell of the fault matrix that breaks a promise, and prints it as JSON, or null: `node verify/mutation/first-breach.ts
 * [CELL]`. Without a cell it tries all of them in random order, so that a bug that many cells show is found soon. With the name of a
 * scenario alone it runs that one without a fault, and after it the scenario's cells.
 */
const SEED = 1;

type Breach = { cell: string; said: string };

async function firstBreach(only: string | undefined): Promise<Breach | null> {
  await loadFunctions();
  const deployment = readDeployment();
  const [scenarioName] = only?.split("/") ?? [];
  const chosen = SCENARIOS.filter(({ name }) => scenarioName === undefined || name === scenarioName);
  const discovered = await discover(deployment, SEED, chosen);
  for (const { scenario, run } of discovered) {
    const [own] = run.violations;
    const wrongEnd = run.ends.find((end) => end !== scenario.end);
    const said = own === undefined ? wrongEnd && `it ends with ${wrongEnd}, not ${scenario.end}` : own.text;
    if (said !== undefined) {
      return { cell: scenario.name, said };
    }
    if (run.decidedSeconds > (scenario.withinSeconds ?? Infinity)) {
      return { cell: scenario.name, said: `it is decided after ${run.decidedSeconds.toFixed(0)} s` };
    }
  }
  const scenarios = new Map(discovered.map((each) => [each.scenario.name, each]));
  const random = randomNumbers(SEED);
  const cells = (only === undefined ? discovered.flatMap((each) => each.cells) : cellsMeant(discovered, only))
    .map((cell) => ({ cell, order: random() }))
    .toSorted((one, other) => one.order - other.order);
  for (const { cell } of cells) {
    const scenario = scenarios.get(cell.scenario);
    const [violation] = scenario === undefined ? [] : (await runCell(deployment, scenario, cell, SEED)).violations;
    if (violation !== undefined) {
      return { cell: nameOf(cell), said: violation.text };
    }
  }
  return null;
}

process.stdout.write(`${JSON.stringify(await firstBreach(process.argv[2]))}\n`);
// Work that a fault has cut off may wait for ever.
process.exit(0);
