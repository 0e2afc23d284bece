import { parentPort, workerData } from "node:worker_threads";
import { describeError } from "../../core/errors.ts";
import { simulated } from "../../simulation/current-account.ts";
import type { Deployment } from "../../simulation/deployment.ts";
import { loadFunctions } from "../../simulation/functions.ts";
import { type Baseline, type Cell, type CellResult, runCell } from "./matrix.ts";
import { SCENARIOS } from "./scenarios.ts";

/** Runs a share of the cells in a thread of its own; the results go out in batches. */
export type Share = { deployment: Deployment; baselines: ReadonlyMap<string, Baseline>; cells: Cell[]; seed: number };

/** Results, and the calls that were made, as `Function port.method`. */
export type ShareResult = { results: CellResult[]; called: string[] };

const BATCH = 200;
const { deployment, baselines, cells, seed } = workerData as Share;
// Lambda's runtime ends by one, and takes whatever else its environment does with it.
process.on("unhandledRejection", (error) => {
  const { name, message } = describeError(error);
  simulated().breach(0, `a rejection was left unhandled: ${name}: ${message}`);
});
await loadFunctions();
const scenarios = new Map(SCENARIOS.map((scenario) => [scenario.name, scenario]));
let results: CellResult[] = [];
const called = new Set<string>();
function send(batch: ShareResult): void {
  parentPort?.postMessage(batch);
}
for (const cell of cells) {
  const scenario = scenarios.get(cell.scenario);
  const run = baselines.get(cell.scenario);
  if (scenario === undefined || run === undefined) {
    throw new Error(`no scenario ${cell.scenario}`);
  }
  const { calls, ...result } = await runCell(deployment, { scenario, run }, cell, seed);
  calls.forEach((call) => called.add(call));
  results.push(result);
  if (results.length === BATCH) {
    send({ results, called: [] });
    results = [];
  }
}
send({ results, called: [...called] });
