import type { Violation } from "../../simulation/account.ts";
import type { Deployment } from "../../simulation/deployment.ts";
import {
  CALL_FAULTS,
  type CallFaultName,
  type Fault,
  type FaultName,
  OF_DELIVERIES,
  OF_EXECUTIONS,
  OF_NOTIFICATIONS,
  VISIT_FAULTS,
  type VisitFaultName,
} from "../../simulation/faults.ts";
import { type RunResult, runScenario } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

/** One fault at one place of one scenario; in a pair, two faults. */
export type Cell = { scenario: string; functionName: string; fault: Fault; second?: Fault };

/** The result of a cell. */
export type CellResult = {
  cell: Cell;
  ends: string[];
  /** How much later than the undisturbed run this one came to rest. */
  delaySeconds: number;
  violations: Violation[];
};

/** A scenario as it runs by itself: where its faults can strike, and what it must come to. */
export type Discovered = { scenario: Scenario; run: RunResult; cells: Cell[] };

/** The part of a scenario's own run that its cells are compared with. */
export type Baseline = Pick<RunResult, "contents" | "decidedSeconds">;

export function baselineOf({ contents, decidedSeconds }: RunResult): Baseline {
  return { contents, decidedSeconds };
}

/** Calls that only read: there is no effect that could be late, or done without an answer. */
const READS = /\.(get|getMany|getByName|list\w*|initialized|findVolume|getVolumeStats|show|getLocation)#/;

/** A backend may say "not created" of what it has created. */
const OF_DRIVERS: ReadonlySet<FaultName> = new Set<FaultName>(["done, then refused"]);

/** Faults of an answer, which a visit that fails by itself has not. */
const OF_ANSWERS: ReadonlySet<FaultName> = new Set<FaultName>([
  "over 256 KiB",
  "over 256 KiB, each time",
  "output over 256 KiB",
  "States.Runtime after",
  "States.Timeout",
]);

const OF_EFFECTS: ReadonlySet<FaultName> = new Set<FaultName>([
  "answer lost",
  "answer lost, each time",
  "effect late",
  "effect late, each time",
  "done, then refused",
]);

/** Functions during whose calls no volume can be deleted: they know none, or are the deletion. */
const BESIDE_THE_VOLUME =
  /^(CallDriver|ReportBackends|DeleteVolume|ExtendVolume|DeleteSnapshot|CreateSnapshot|SweepOverdueVolumes)$/;

/** Runs scenarios by themselves, by default every one, and finds the places at which faults can strike. */
export async function discover(
  deployment: Deployment,
  seed: number,
  scenarios: readonly Scenario[] = SCENARIOS,
): Promise<Discovered[]> {
  const discovered: Discovered[] = [];
  for (const scenario of scenarios) {
    const run = await runScenario(deployment, scenario, [], seed);
    discovered.push({ scenario, run, cells: sampled(cellsOf(scenario, run), scenario.mostCells, seed) });
  }
  return discovered;
}

/** Cells at equal distances, beginning with one that the seed chooses. */
function sampled(cells: readonly Cell[], most: number = cells.length, seed: number): Cell[] {
  if (most === 0) {
    return [];
  }
  return everyNth(cells, Math.ceil(cells.length / Math.max(1, most)), seed);
}

function everyNth(cells: readonly Cell[], step: number, seed: number): Cell[] {
  return cells.filter((_cell, index) => index % step === seed % step);
}

/**
 * One of so many cells, at equal distances from one that the seed chooses, and at least one of each kind: of each function, call and fault.
 * Other seeds run the other cells.
 */
export function sampleOf(cells: readonly Cell[], every: number, seed: number): Cell[] {
  const drawn = everyNth(cells, every, seed);
  const kinds = new Set(drawn.map(kindOf));
  const others = Map.groupBy(
    cells.filter((cell) => !kinds.has(kindOf(cell))),
    kindOf,
  );
  return [...drawn, ...[...others.values()].flatMap((ofKind) => ofKind[seed % ofKind.length] ?? [])];
}

function kindOf({ functionName, fault: { call, fault } }: Cell): string {
  return `${functionName} ${withoutNumber(call ?? "")} ${fault}`;
}

/** The name of a visit or of a call: `volumes.get` of `volumes.get#2`. */
function withoutNumber(name: string): string {
  return name.replace(/#\d+$/, "");
}

type Visit = {
  functionName: string;
  calls: Set<string>;
  isOfExecution: boolean;
  hasAnswered: boolean;
  isAsked: boolean;
};

function cellsOf(scenario: Scenario, run: RunResult): Cell[] {
  const visits = new Map<string, Visit>();
  // A repeated delivery is not a place for a fault: no caller waits for its answer.
  for (const { functionName, visit, calls, isOfExecution, hasAnswered, isAsked } of run.invocations.filter(
    (invocation) => !invocation.visit.endsWith(" again"),
  )) {
    const known = visits.get(visit) ?? { functionName, calls: new Set(), isOfExecution, hasAnswered, isAsked };
    known.hasAnswered ||= hasAnswered;
    calls.forEach((call) => known.calls.add(call));
    visits.set(visit, known);
  }
  const cells: Cell[] = [];
  const seen = new Set<string>();
  for (const [visit, kindOfVisit] of visits) {
    const { functionName, calls, isOfExecution } = kindOfVisit;
    // A sweep that finds nothing is like the one before.
    const kind = `${functionName} ${[...calls].join(" ")}`;
    if (isOfExecution || !seen.has(kind)) {
      const cell = (call: string | null, fault: FaultName): Cell => ({
        scenario: scenario.name,
        functionName,
        fault: { visit, call, fault },
      });
      cells.push(...visitFaults(kindOfVisit).map((fault) => cell(null, fault)));
      for (const call of calls) {
        cells.push(...callFaults(functionName, call, isOfExecution).map((fault) => cell(call, fault)));
      }
    }
    seen.add(kind);
  }
  return cells.filter(({ fault }) => !isScenariosOwn(scenario, fault));
}

function isScenariosOwn(scenario: Scenario, { visit, call }: Fault): boolean {
  return scenario.faults?.some((own) => own.visit === visit && own.call === call) ?? false;
}

function visitFaults({ isOfExecution, hasAnswered, isAsked }: Visit): VisitFaultName[] {
  return (Object.keys(VISIT_FAULTS) as VisitFaultName[]).filter(
    (fault) =>
      (isOfExecution || !OF_EXECUTIONS.has(fault)) &&
      (hasAnswered || !OF_ANSWERS.has(fault)) &&
      (!OF_DELIVERIES.has(fault) || !(isOfExecution || isAsked)),
  );
}

function callFaults(functionName: string, call: string, isOfExecution: boolean): CallFaultName[] {
  return (Object.keys(CALL_FAULTS) as CallFaultName[]).filter(
    (fault) =>
      (isOfExecution || !OF_EXECUTIONS.has(fault)) &&
      (!READS.test(call) || !OF_EFFECTS.has(fault)) &&
      (!OF_DRIVERS.has(fault) || call.startsWith("driver.")) &&
      (!OF_NOTIFICATIONS.has(fault) || call.startsWith("notifier.publish#")) &&
      (!(fault === "deleted meanwhile" || fault === "reset meanwhile") || !BESIDE_THE_VOLUME.test(functionName)),
  );
}

/** Pairs of a scenario's faults, drawn at random: what one net misses because another fault has torn it. */
export function drawPairs(discovered: readonly Discovered[], count: number, random: () => number): Cell[] {
  const all = discovered.flatMap(({ cells }) => cells);
  const ofScenario = new Map(discovered.map(({ scenario, cells }) => [scenario.name, cells]));
  const draw = (cells: readonly Cell[]): Cell | undefined => cells[Math.floor(random() * cells.length)];
  return Array.from({ length: count }).flatMap(() => {
    const first = draw(all);
    const second = first === undefined ? undefined : draw(ofScenario.get(first.scenario) ?? []);
    return first === undefined || second === undefined ? [] : [{ ...first, second: second.fault }];
  });
}

/** The calls of a run, as `Function port.method`. */
export function callsOf({ invocations }: RunResult): Set<string> {
  return new Set(
    invocations.flatMap(({ functionName, calls }) => calls.map((call) => `${functionName} ${withoutNumber(call)}`)),
  );
}

/** Runs one cell. */
export async function runCell(
  deployment: Deployment,
  { scenario, run }: { scenario: Scenario; run: Baseline },
  cell: Cell,
  seed: number,
): Promise<CellResult & { calls: ReadonlySet<string> }> {
  const faults = cell.second === undefined ? [cell.fault] : [cell.fault, cell.second];
  const result = await runScenario(deployment, scenario, faults, seed, run.contents);
  const violations = [...result.violations];
  // In a pair, one fault may prevent the other.
  if (cell.second === undefined && result.missed.includes(cell.fault)) {
    violations.push({ invariant: 0, text: "the place of the fault was not reached" });
  }
  return {
    cell,
    ends: result.ends,
    delaySeconds: Math.max(0, result.decidedSeconds - run.decidedSeconds),
    violations,
    calls: callsOf(result),
  };
}

function placeOf({ visit, call, fault }: Fault): string {
  return [visit, ...(call === null ? [] : [call]), fault].join("/");
}

/** A cell's name, which `--only` takes: `scenario/visit/call/fault`, and for a pair ` + visit/call/fault`. */
export function nameOf({ scenario, fault, second }: Cell): string {
  return `${scenario}/${placeOf(fault)}${second === undefined ? "" : ` + ${placeOf(second)}`}`;
}

/** The scenarios that can have the cells which `--only` means: one, when it begins with that one's name. */
export function scenariosMeant(only: string | undefined): readonly Scenario[] {
  const first = only?.split("/")[0];
  const named = SCENARIOS.filter(({ name }) => name === first);
  return named.length > 0 ? named : SCENARIOS;
}

/**
 * The cells that `--only` means. Its parts, divided by `/`, are parts of the cell's name in that order; a visit or call may be
 * given without its number. The full name of a pair means that pair.
 */
export function cellsMeant(discovered: readonly Discovered[], only: string): Cell[] {
  const cells = discovered.flatMap((each) => each.cells);
  const [first = "", second] = only.split(" + ");
  if (second === undefined) {
    return cells.filter((cell) => isMeant(nameOf(cell), only));
  }
  return cells
    .filter((cell) => nameOf(cell) === first)
    .flatMap((cell) =>
      cells
        .filter(({ scenario, fault }) => scenario === cell.scenario && placeOf(fault) === second)
        .map(({ fault }) => ({ ...cell, second: fault })),
    );
}

function isMeant(name: string, only: string): boolean {
  const parts = name.split("/");
  let from = 0;
  for (const wanted of only.split("/")) {
    const index = parts.findIndex((part, at) => at >= from && (part === wanted || withoutNumber(part) === wanted));
    if (index === -1) {
      return false;
    }
    from = index + 1;
  }
  return true;
}
