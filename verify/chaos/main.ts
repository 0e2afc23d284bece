import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { CommanderError } from "commander";
import { createLogUpdate } from "log-update";
import { explain, screenOf } from "../../local/screen.ts";
import { endProcess, Interrupted, interruption } from "../../local/signals.ts";
import { type ChaosOptions, parseOptions } from "./options.ts";
import { progressLine, report } from "./report.ts";
import type { ChaosResult } from "./result.ts";
import { type Progress, runChaos } from "./run.ts";

/** Between two lines, if progress is not a redrawn line. */
const PLAIN_LINE_MS = 10_000;

async function main(options: ChaosOptions): Promise<number> {
  const screen = screenOf(process.stdout);
  const directory = mkdtempSync(path.join(tmpdir(), "cinderless-chaos-"));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  const { signal } = interruption(remove);
  const display = displayOf(options);
  let kept = options.keep;
  try {
    if (!options.json) {
      screen.write(`seed ${options.seed}\n`);
    }
    const result = await runChaos({ options, directory, signal, onProgress: (progress) => display.show(progress) });
    display.end();
    kept ||= result.violations.length > 0;
    writeFileSync(path.join(directory, "result.json"), document(result));
    screen.write(options.json ? document(kept ? { ...result, directory } : result) : report(result, screen));
    return result.violations.length > 0 ? 1 : 0;
  } catch (error) {
    display.end();
    if (error instanceof Interrupted) {
      return error.exitStatus;
    }
    kept = true;
    process.stderr.write(`error: ${explain(error)}\n`);
    return 1;
  } finally {
    if (kept) {
      process.stderr.write(`the data directory is ${directory}\n`);
    } else {
      remove();
    }
  }
}

function document(result: ChaosResult & { directory?: string }): string {
  return `${JSON.stringify(result, null, 2)}\n`;
}

/** A line that changes on a terminal, one now and then elsewhere, none with --json. */
function displayOf({ json, volumes, kills }: ChaosOptions): { show(progress: Progress): void; end(): void } {
  const start = performance.now();
  const update = process.stdout.isTTY && !json ? createLogUpdate(process.stdout) : undefined;
  let lastPlain = 0;
  let lastPhase = "";
  return {
    show: (progress) => {
      const elapsed = performance.now() - start;
      const line = progressLine(progress, volumes, kills, elapsed);
      if (update !== undefined) {
        update(line);
      } else if (!json && (elapsed - lastPlain > PLAIN_LINE_MS || progress.phase !== lastPhase)) {
        lastPlain = elapsed;
        lastPhase = progress.phase;
        process.stdout.write(`${line}\n`);
      }
    },
    end: () => update?.done(),
  };
}

try {
  endProcess(await main(parseOptions(process.argv.slice(2), () => randomInt(2 ** 31))));
} catch (error) {
  if (!(error instanceof CommanderError)) {
    throw error;
  }
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
