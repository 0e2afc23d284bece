import type { Bug } from "./catalog.ts";
import type { Sandbox } from "./sandbox.ts";

/** By what a bug was caught; null where it survived. */
export type Caught = {
  bug: Bug;
  /** Full name of the first unit test that failed. */
  unit: string | null;
  /** The first cell of the matrix that broke a promise, and what it said. */
  matrix: { cell: string; said: string } | null;
  /** Why the bug could not be tried, if it could not. */
  problem?: string;
};

/** The used part of vitest's JSON report. */
type TestReport = {
  testResults: {
    name: string;
    message: string;
    assertionResults: { status: string; fullName: string; failureMessages?: string[] | null }[];
  }[];
};

/** Where vitest leaves its report, in the sandbox. */
const REPORT = "unit-tests.json";

/**
 * Puts a bug into the sandbox, and runs the test file and the cell of the matrix that are known to catch it. A test file that no longer loads
 * is reported as a problem, because that catches nothing.
 *
 * @param whole run every unit test that reaches the bug's file, and the whole matrix
 */
export function runBug(sandbox: Sandbox, bug: Bug, whole: boolean): Promise<Caught> {
  return sandbox
    .with(bug, async () => {
      const unit = await firstFailure(sandbox, whole ? relatedTests(bug) : namedTests([bug]));
      const matrix = await brokenCell(sandbox, whole ? [] : [bug.cell], bug.file);
      return { bug, unit, matrix };
    })
    .catch((error: unknown) => ({ bug, unit: null, matrix: null, problem: String(error) }));
}

/**
 * Makes sure that a test or a cell that fails under a bug fails for the bug.
 *
 * @throws Error when a test or a cell fails before anything is broken
 */
export async function requireSound(sandbox: Sandbox, bugs: readonly Bug[]): Promise<void> {
  const failed = await firstFailure(sandbox, namedTests(bugs));
  if (failed !== null) {
    throw new Error(`a unit test fails before anything is broken: ${failed}`);
  }
  const broken = await brokenCell(sandbox, [...new Set(bugs.map(({ cell }) => cell))], "");
  if (broken !== null) {
    throw new Error(`the matrix breaks a promise before anything is broken: ${broken.cell}: ${broken.said}`);
  }
}

function namedTests(bugs: readonly Bug[]): string[] {
  const files = [...new Set(bugs.map(({ test }) => test))];
  return ["run", ...files, ...[...new Set(files.map(projectOf))].map((project) => `--project=${project}`)];
}

/** Tests of the bug's project that reach its file. */
function relatedTests({ file, test }: Bug): string[] {
  return ["related", file, "--run", `--project=${projectOf(test)}`];
}

/** The vitest project of a test file, which its folder names. */
function projectOf(test: string): string {
  return test.split("/")[1] ?? "unit";
}

async function firstFailure(sandbox: Sandbox, command: readonly string[]): Promise<string | null> {
  const { stderr } = await sandbox.run([
    "node_modules/vitest/vitest.mjs",
    ...command,
    "--bail=1",
    "--reporter=json",
    `--outputFile=${REPORT}`,
  ]);
  const text = await sandbox.read(REPORT);
  const report = parse(text, `vitest wrote no report: ${stderr.slice(0, 500)}`) as TestReport;
  const results = report.testResults;
  // One that has run out of time on a busy machine has caught nothing.
  const failed = results
    .flatMap(({ assertionResults }) => assertionResults)
    .find(
      ({ status, failureMessages }) =>
        status === "failed" && failureMessages?.every((message) => !message.includes(" timed out in ")) !== false,
    );
  const unloadable = results.find(({ assertionResults, message }) => assertionResults.length === 0 && message !== "");
  if (failed === undefined && unloadable !== undefined) {
    throw new Error(`${unloadable.name} does not load: ${unloadable.message.slice(0, 300)}`);
  }
  return failed?.fullName ?? null;
}

/** @param cells none for the whole matrix, until the first cell that breaks a promise */
async function brokenCell(sandbox: Sandbox, cells: readonly string[], file: string): Promise<Caught["matrix"]> {
  const { stdout, stderr } = await sandbox.run([
    "verify/mutation/first-breach.ts",
    sandbox.deploymentFor(file),
    ...cells,
  ]);
  try {
    return JSON.parse(stdout) as Caught["matrix"];
  } catch (error) {
    throw new Error(`the matrix printed no report: ${stderr.slice(0, 500)}`, { cause: error });
  }
}

function parse(text: string, otherwise: string): unknown {
  const start = text.indexOf("{");
  try {
    return JSON.parse(text.slice(start));
  } catch (error) {
    throw new Error(otherwise, { cause: error });
  }
}
