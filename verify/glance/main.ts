import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { explain } from "../../local/screen.ts";
import { endProcess, Interrupted, interruption } from "../../local/signals.ts";
import { findInstalled, startGlance, startKeystone } from "./openstack.ts";
import { type Check, checksWithKeystone, checksWithTrustedHeaders } from "./scenarios.ts";
import type { Running } from "./server-process.ts";

const HELP = `Usage: npm run test:glance

Starts a Glance on 127.0.0.1, and a Keystone where there is one, uploads images, and creates
volumes from them through the whole flow. Needs Debian's packages:

  apt-get install --no-install-recommends glance-api keystone

Without them nothing is tested, and that is said. Exits with 1 when a check fails.

Examples:
  npm run test:glance
  npm run test:glance -- --keep               keep configuration, logs and volumes
  npm run test:glance -- --without-keystone   the headers of keystonemiddleware say who asks
`;

/** Runs the checks one after the other; a failed one does not stop the others. */
async function runChecks(checks: readonly Check[]): Promise<number> {
  let failed = 0;
  for (const { name, run } of checks) {
    const startedAt = performance.now();
    try {
      await run();
      process.stdout.write(`ok      ${name} (${Math.round(performance.now() - startedAt)} ms)\n`);
    } catch (error) {
      failed += 1;
      process.stdout.write(`FAILED  ${name}: ${explain(error)}\n`);
    }
  }
  return failed;
}

async function main(keep: boolean, withKeystone: boolean): Promise<number> {
  const installed = await findInstalled();
  if (!installed.glance) {
    process.stdout.write("skipped: glance-api is not installed; `apt-get install glance-api keystone` installs it\n");
    return 0;
  }
  const directory = mkdtempSync(join(tmpdir(), "cinderless-glance-"));
  const running: { stop: () => Promise<void> }[] = [];
  const { signal } = interruption();
  const stopped = new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  try {
    return await Promise.race([stopped, checkAll(directory, installed.keystone && withKeystone, running)]);
  } finally {
    for (const { stop } of running.toReversed()) {
      await stop();
    }
    if (keep) {
      process.stdout.write(`everything is kept in ${directory}\n`);
    } else {
      rmSync(directory, { recursive: true, force: true });
    }
  }
}

async function checkAll(
  directory: string,
  hasKeystone: boolean,
  running: { stop: () => Promise<void> }[],
): Promise<number> {
  const started = async <Part extends Running>(part: Promise<Part>): Promise<Part> => {
    const found = await part;
    running.push(found);
    return found;
  };
  const startedAt = performance.now();
  const keystone = hasKeystone ? await started(startKeystone(join(directory, "keystone"))) : undefined;
  const glance = await started(startGlance(join(directory, "glance"), keystone));
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  process.stdout.write(`Glance${keystone === undefined ? "" : " and Keystone"} answer after ${seconds} s\n`);
  const keepRunning = (part: { stop: () => Promise<void> }): unknown => running.push(part);
  const checks =
    keystone === undefined
      ? await checksWithTrustedHeaders(directory, glance, keepRunning)
      : await checksWithKeystone(directory, glance, keystone, keepRunning);
  if (keystone === undefined) {
    process.stdout.write("skipped: checks with Keystone, which is not installed or not wanted\n");
  }
  const failed = await runChecks(checks);
  process.stdout.write(
    failed === 0 ? `all ${checks.length} checks passed\n` : `${failed} of ${checks.length} failed\n`,
  );
  return failed === 0 ? 0 : 1;
}

const OPTIONS = ["--keep", "--without-keystone"];
const argv = process.argv.slice(2);
const unknown = argv.find((argument) => !OPTIONS.includes(argument));
if (argv.includes("--help") || argv.includes("-h")) {
  process.stdout.write(HELP);
} else if (unknown !== undefined) {
  process.stderr.write(`error: unknown argument ${unknown}; --help prints more\n`);
  process.exitCode = 2;
} else {
  const status = await main(argv.includes("--keep"), !argv.includes("--without-keystone")).catch((error: unknown) => {
    if (error instanceof Interrupted) {
      return error.exitStatus;
    }
    process.stderr.write(`error: ${explain(error)}\n`);
    return 1;
  });
  endProcess(status);
}
