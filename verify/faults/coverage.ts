import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { fileNameOf, FUNCTIONS, type FunctionName } from "../../core/functions.ts";
import type { Deployment } from "./deployment.ts";
import type { Discovered } from "./matrix.ts";

/** What the scenarios did not reach. Everything here fails the run: a fault there would never be tried. */
export type Uncovered = { states: string[]; functions: string[]; calls: string[] };

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Functions that no volume passes through, each with the reason for which it has no cells. */
export const WITHOUT_CELLS: Readonly<Record<string, string>> = {};

/** A call of a port in the source of a task: the port's name, as the tasks name it, and its method. */
const CALL_IN_SOURCE =
  /\b(volumes|backends|candidates|snapshots|volumeTypes|notifier|queue|workflow|driver|service)\s*\.(\w+)\(/g;

/** Names by which tasks know a port that the account knows by another. */
const PORT_OF: Readonly<Record<string, string>> = { candidates: "backends", service: "images" };

/** Compares what the definition and the tasks' sources hold with what the scenarios reached. */
export function findUncovered(
  deployment: Deployment,
  discovered: readonly Discovered[],
  isMethod: (call: string) => boolean,
): Uncovered {
  const entered = new Set(discovered.flatMap(({ run }) => [...run.enteredStates]));
  const called = new Map<string, Set<string>>();
  for (const { functionName, calls } of discovered.flatMap(({ run }) => run.invocations)) {
    const known = called.get(functionName) ?? new Set<string>();
    calls.forEach((call) => known.add(call.replace(/#\d+$/, "")));
    called.set(functionName, known);
  }
  return {
    states: Object.keys(deployment.definition.States).filter((state) => !entered.has(state)),
    functions: Object.keys(FUNCTIONS).filter((name) => !called.has(name) && WITHOUT_CELLS[name] === undefined),
    calls: uncoveredCalls(called, isMethod),
  };
}

/** A call in a task's file is covered when a function that imports the file, however indirectly, has made it. */
function uncoveredCalls(
  called: ReadonlyMap<string, ReadonlySet<string>>,
  isMethod: (call: string) => boolean,
): string[] {
  const filesOf = new Map(
    (Object.keys(FUNCTIONS) as FunctionName[]).map((name) => [name, importedBy(`lambdas/${fileNameOf(name)}.ts`)]),
  );
  const uncovered: string[] = [];
  for (const file of readdirSync(path.join(ROOT, "core/tasks"))) {
    const source = readFileSync(path.join(ROOT, "core/tasks", file), "utf8");
    const users = [...filesOf].filter(([, files]) => files.has(`core/tasks/${file}`)).map(([name]) => name);
    for (const call of callsIn(source).filter(isMethod)) {
      if (users.length > 0 && !users.some((name) => called.get(name)?.has(call) === true)) {
        uncovered.push(`${call} in core/tasks/${file}`);
      }
    }
  }
  return uncovered;
}

function callsIn(source: string): string[] {
  const calls = [...source.matchAll(CALL_IN_SOURCE)].map(
    ([, port = "", method = ""]) => `${PORT_OF[port] ?? port}.${method}`,
  );
  return [...new Set(calls)];
}

/** The files of this repository that a file imports, and those import. */
function importedBy(file: string, found = new Set<string>()): Set<string> {
  if (!found.has(file)) {
    found.add(file);
    const source = readFileSync(path.join(ROOT, file), "utf8");
    for (const [, specifier = ""] of source.matchAll(/from "(\.{1,2}\/[^"]+)"/g)) {
      importedBy(path.join(path.dirname(file), specifier), found);
    }
  }
  return found;
}
