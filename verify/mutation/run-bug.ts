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
 * Puts a bug into the sandbox and runs the unit tests (of the stack: its tests) that reach its file, then the matrix. A test file that no longer loads is
 * reported as a problem: that catches nothing.
 */
export function runBug(sandbox: Sandbox, bug: Bug, whole: boolean): Promise<Caught> {
  return sandbox
    .with(bug, async () => {
      const unit = await failedUnitTest(sandbox, bug);
      const matrix = await brokenCell(sandbox, whole ? undefined : bug.cell);
      return { bug, unit, matrix };
    })
    .catch((error: unknown) => ({ bug, unit: null, matrix: null, problem: String(error) }));
}

/** The stack and the definition of the workflow have tests of their own, which are run for bugs in them alone. */
function projectOf(file: string): string {
  return /^(?:infra|statemachine)\//.exec(file)?.[0].slice(0, -1) ?? "unit";
}

/**
 * Makes sure that a test which fails under a bug fails for the bug.
 *
 * @throws Error when a unit test fails before anything is broken
 */
export async function requireSound(sandbox: Sandbox): Promise<void> {
  const failed = await firstFailure(sandbox, ["run", "--project=unit"]);
  if (failed !== null) {
    throw new Error(`a unit test fails before anything is broken: ${failed}`);
  }
}

function failedUnitTest(sandbox: Sandbox, { file }: Bug): Promise<string | null> {
  return firstFailure(sandbox, ["related", file, "--run", `--project=${projectOf(file)}`]);
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

/** @param cell undefined for the whole matrix, until the first cell that breaks a promise */
async function brokenCell(sandbox: Sandbox, cell: string | undefined): Promise<Caught["matrix"]> {
  const which = cell === undefined || cell === "" ? [] : [cell];
  const { stdout, stderr } = await sandbox.run(["verify/mutation/first-breach.ts", ...which]);
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
