import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { FUNCTION_NAMES, fileNameOf } from "../../core/settings/functions.ts";
import type { Deployment } from "../../simulation/deployment.ts";
import { callsOf, type Discovered } from "./matrix.ts";

/** Code that the scenarios did not reach. Everything here fails the run: a fault there would never be tried. */
export type Uncovered = { states: string[]; functions: string[]; calls: string[] };

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A call of a port in a source: the port's name, as the tasks name it, and its method. A map of such a name is not awaited. */
const CALL_IN_SOURCE =
  /(?:deps\.|run\.|cache\.|await |return |=> )(volumes|backends|candidates|snapshots|volumeTypes|projects|deadLetters|notifier|queue|workflow|driver|service|entries)\s*\.(\w+)\(/g;

/** Names by which tasks know a port that the account knows by another. */
const PORT_OF: Readonly<Record<string, string>> = { candidates: "backends", service: "images", entries: "imageCache" };

/**
 * Calls that no scenario makes, and why they need not be made here: by the file that makes them, or by one call.
 */
const ELSEWHERE: Readonly<Record<string, string>> = {
  // Only some faults lead to their rare calls, and each seed runs another share of these scenarios' cells.
  "core/api/": "test/unit/api-at-once.test.ts",
  // The audits at the end of a run are not part of it.
  "core/audit/audit-projects.ts": "test/unit/task-audit-projects.test.ts",
  "core/requests/create-request.ts": "test/unit/create-request.test.ts",
  // Only a deletion between two calls of one creation leads there.
  "core/snapshots/create-snapshot.ts": "test/unit/task-snapshots-and-deletion.test.ts",
  // Only the command line and the API ask for these.
  "core/snapshots/snapshot-details.ts": "test/integration/repositories-details.test.ts",
  "core/volumes/reset-status.ts": "test/unit/task-reset-status.test.ts",
  // No scenario deletes a volume together with its snapshots: the sweep continues that through CallDriver.
  "driver.closeSnapshot in core/drivers/call-driver.ts": "test/unit/remote-driver.test.ts",
  "driver.deleteSnapshot in core/drivers/call-driver.ts": "test/unit/remote-driver.test.ts",
  "driver.findSnapshot in core/drivers/call-driver.ts": "test/unit/remote-driver.test.ts",
};

export const NOTHING_UNCOVERED: Uncovered = { states: [], functions: [], calls: [] };

/**
 * Compares what the definition and the sources hold with what was reached: states and functions by the scenarios themselves, so
 * that they have cells; calls also under a fault, because many are made only when something has failed.
 *
 * @param calledInCells the calls of all cells, as `Function port.method`
 */
export function findUncovered(
  deployment: Deployment,
  discovered: readonly Discovered[],
  calledInCells: readonly string[],
  isMethod: (call: string) => boolean,
): Uncovered {
  const entered = new Set(discovered.flatMap(({ run }) => [...run.enteredStates]));
  const functions = new Set(discovered.flatMap(({ run }) => run.invocations.map(({ functionName }) => functionName)));
  const called = new Set([...discovered.flatMap(({ run }) => [...callsOf(run)]), ...calledInCells]);
  return {
    states: Object.keys(deployment.definition.States).filter((state) => !entered.has(state)),
    functions: FUNCTION_NAMES.filter((name) => !functions.has(name)),
    calls: uncoveredCalls(called, isMethod),
  };
}

/** A call in a task's file is covered when a function that imports the file, however indirectly, has made it. */
function uncoveredCalls(called: ReadonlySet<string>, isMethod: (call: string) => boolean): string[] {
  const filesOf = new Map(FUNCTION_NAMES.map((name) => [name, importedBy(`lambdas/${fileNameOf(name)}.ts`)]));
  const uncovered: string[] = [];
  const coreFiles = new Set(
    [...filesOf.values()].flatMap((files) => [...files]).filter((file) => file.startsWith("core/")),
  );
  for (const file of coreFiles) {
    if (Object.keys(ELSEWHERE).some((place) => file.startsWith(place))) {
      continue;
    }
    const source = readFileSync(path.join(ROOT, file), "utf8");
    const users = [...filesOf].filter(([, files]) => files.has(file)).map(([name]) => name);
    const calls = callsIn(source).filter((call) => isMethod(call) && ELSEWHERE[`${call} in ${file}`] === undefined);
    for (const call of calls) {
      if (!users.some((name) => called.has(`${name} ${call}`))) {
        uncovered.push(`${call} in ${file}`);
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
