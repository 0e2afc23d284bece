import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { explain } from "../../local/screen.ts";
import { endProcess, Interrupted, interruption } from "../../local/signals.ts";
import { missingPrograms } from "./installed.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import { startOpenStack } from "./openstack.ts";
import { keepResults, resultsOf } from "./results.ts";
import { runTempest } from "./run-tempest.ts";
import { testsOf } from "./tests.ts";

/** Exit status that says that the tests cannot run on this machine. */
const SKIPPED = 77;

async function main(options: Options): Promise<number> {
  const missing = await missingPrograms();
  if (missing.length > 0) {
    process.stdout.write(`skipped: this machine lacks ${missing.join(", ")}; .ci/debian-packages installs them\n`);
    return SKIPPED;
  }
  const directory = mkdtempSync(join(tmpdir(), "cinderless-tempest-"));
  const running: (() => Promise<void>)[] = [];
  const { signal } = interruption();
  const interrupted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  try {
    return await Promise.race([interrupted, judge(directory, options, (stop) => running.push(stop))]);
  } finally {
    for (const stop of running.toReversed()) {
      await stop();
    }
    if (options.keep) {
      process.stdout.write(`configuration, logs and volumes are in ${directory}\n`);
    } else {
      rmSync(directory, { recursive: true, force: true });
    }
  }
}

/** Starts everything, runs the tests, and prints what came of them. */
async function judge(
  directory: string,
  options: Options,
  keepRunning: (stop: () => Promise<void>) => unknown,
): Promise<number> {
  const startedAt = performance.now();
  const tests = testsOf(options.tier).filter((test) => options.only === undefined || test.includes(options.only));
  if (tests.length === 0) {
    throw new Error(`--only ${JSON.stringify(options.only)}: the name of no test of ${options.tier} contains it`);
  }
  const configuration = await startOpenStack(directory, keepRunning);
  process.stdout.write(`Keystone, Glance and the Block Storage API answer after ${secondsSince(startedAt)} s\n`);
  const outcome = await runTempest(directory, configuration, tests, options, keepRunning);
  const { passed, skipped, failed } = outcome;
  if (options.write) {
    await keepResults(options.tier, resultsOf(tests, outcome));
  }
  for (const { test, reason } of failed) {
    process.stdout.write(`FAILED  ${test}\n${reason.replaceAll(/^/gm, "        ")}\n`);
  }
  const missing = tests.length - passed.length - skipped.length - failed.length;
  process.stdout.write(
    `Tempest ${options.tier}: ${passed.length} passed, ${skipped.length} skipped, ${failed.length} failed` +
      `${missing > 0 ? `, ${missing} not run` : ""}, in ${secondsSince(startedAt)} s\n`,
  );
  return failed.length === 0 && missing <= 0 ? 0 : 1;
}

function secondsSince(startedAt: number): number {
  return Math.round((performance.now() - startedAt) / 1000);
}

const options = readOptions(process.argv.slice(2));
if (options === "help") {
  process.stdout.write(USAGE);
} else if ("problem" in options) {
  process.stderr.write(`error: ${options.problem}; --help prints more\n`);
  process.exitCode = 2;
} else {
  const status = await main(options).catch((error: unknown) => {
    if (error instanceof Interrupted) {
      return error.exitStatus;
    }
    process.stderr.write(`error: ${explain(error)}\n`);
    return 1;
  });
  endProcess(status);
}
