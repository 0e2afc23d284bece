import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Configuration, STESTR_CONFIGURATION, tempestConfiguration } from "./configuration.ts";
import type { Options } from "./options.ts";

/** The results of the tests. `reason` is the end of the traceback. */
export type Outcome = { passed: string[]; skipped: string[]; failed: { test: string; reason: string }[] };

/** A line of stestr: worker, test with its attributes, time, outcome. A test that is skipped has no time. */
const RESULT = /^\{\d+\} (?<test>.+?)(?: \[[\d.]+s\])? \.\.\. (?<outcome>ok|FAILED|SKIPPED)/;

/** The name that stestr gives to a class whose tests are all skipped. */
const CLASS = /^setUpClass \((?<name>.+)\)$/;

/** Lines of a traceback that are shown of each failure. */
const SHOWN_LINES = 8;

/**
 * Runs tests by stestr, which is what Tempest's own command runs. The whole output is in `output.txt`.
 *
 * @throws Error when stestr does not start
 */
export async function runTempest(
  directory: string,
  configuration: Configuration,
  tests: readonly string[],
  { jobs }: Options,
  keepRunning: (stop: () => Promise<void>) => unknown,
): Promise<Outcome> {
  const home = join(directory, "tempest");
  await mkdir(join(home, "locks"), { recursive: true });
  await writeFile(join(home, "tempest.conf"), tempestConfiguration(home, configuration));
  await writeFile(join(home, ".stestr.conf"), STESTR_CONFIGURATION);
  await writeFile(join(home, "include.txt"), tests.map(patternOf).join(""));
  const argv = ["/usr/bin/stestr", "run", "--concurrency", String(jobs), "--include-list", "include.txt"];
  const child = spawn("/usr/bin/python3", argv, {
    cwd: home,
    env: { ...process.env, TEMPEST_CONFIG_DIR: home, TEMPEST_CONFIG: "tempest.conf", PYTHON: "/usr/bin/python3" },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const ended = once(child, "exit");
  keepRunning(async () => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      // The workers are children of stestr.
      process.kill(-child.pid, "SIGKILL");
      await ended;
    }
  });
  const output = createWriteStream(join(home, "output.txt"));
  child.stderr.pipe(output, { end: false });
  const lines = createInterface({ input: child.stdout });
  const read: string[] = [];
  for await (const line of lines) {
    read.push(line);
    output.write(`${line}\n`);
  }
  await ended;
  output.end();
  return outcomeOf(read, tests);
}

/** One line of an include list: the test of that name, whatever attributes follow. */
function patternOf(test: string): string {
  return `^${test.replaceAll(".", String.raw`\.`)}(\\[|$)\n`;
}

/**
 * Reads stestr's output. A class whose preparation fails is one failure, and its tests are not run. A class that is skipped skips
 * those of `tests` that belong to it.
 */
export function outcomeOf(lines: readonly string[], tests: readonly string[]): Outcome {
  const outcome: Outcome = { passed: [], skipped: [], failed: [] };
  for (const [index, line] of lines.entries()) {
    const { test = "", outcome: word } = RESULT.exec(line)?.groups ?? {};
    const name = test.replace(/\[.*$/, "");
    if (word === "ok") {
      outcome.passed.push(name);
    } else if (word === "SKIPPED") {
      const skippedClass = CLASS.exec(name)?.groups?.["name"];
      outcome.skipped.push(
        ...(skippedClass === undefined ? [name] : tests.filter((each) => each.startsWith(`${skippedClass}.`))),
      );
    } else if (word === "FAILED") {
      outcome.failed.push({ test: name, reason: reasonAfter(lines, index) });
    }
  }
  return outcome;
}

/** The last lines of the traceback that follows a line: up to the next result. */
function reasonAfter(lines: readonly string[], index: number): string {
  const end = lines.findIndex((line, at) => at > index && RESULT.test(line));
  const block = lines.slice(index + 1, end === -1 ? lines.length : end);
  const traceback = block.findIndex((line) => line.includes("Traceback (most recent call last)"));
  const last = block.findIndex((line, at) => at > traceback && /^\s*Captured /.test(line));
  return block
    .slice(0, last === -1 ? undefined : last)
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .slice(-SHOWN_LINES)
    .join("\n");
}
