import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { CommanderError } from "commander";
import { explain, screenOf } from "../screen.ts";
import { type DemoOptions, parseOptions } from "./options.ts";

/** The demonstration's command: `npm run demo`. Whatever happens, the cloud is stopped and the directory removed. */

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly exitStatus: number;
  constructor(exitStatus: number) {
    super("interrupted");
    this.exitStatus = exitStatus;
  }
}

async function main(options: DemoOptions): Promise<number> {
  const directory = mkdtempSync(path.join(tmpdir(), "cinderless-demo-"));
  const remove = (): void => {
    if (!options.keep) {
      rmSync(directory, { recursive: true, force: true });
    }
  };
  const interruption = new AbortController();
  for (const [signal, exitStatus] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (interruption.signal.aborted) {
        // The second time: nothing is waited for.
        remove();
        process.exit(exitStatus);
      }
      interruption.abort(new Interrupted(exitStatus));
    });
  }
  // Whoever reads our output may go away, as `head` does.
  process.stdout.on("error", () => interruption.abort(new Interrupted(1)));
  const screen = screenOf(process.stdout);
  const { signal } = interruption;
  try {
    const { runDemo } = await import("./run.ts");
    const ok = await runDemo({ options, directory, screen, stream: process.stdout, signal });
    return ok ? 0 : 1;
  } catch (error) {
    if (signal.aborted) {
      return (signal.reason as Interrupted).exitStatus;
    }
    process.stderr.write(`error: ${explain(error)}\n`);
    return 1;
  } finally {
    remove();
    if (options.keep) {
      process.stderr.write(`\nKept in ${directory}\n`);
    }
  }
}

try {
  process.exitCode = await main(parseOptions(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof CommanderError)) {
    throw error;
  }
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
