import { mkdtempSync, rmSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { CommanderError } from "commander";
import { explain, screenOf } from "../screen.ts";
import { endProcess, Interrupted, interruption } from "../signals.ts";
import { type DemoOptions, parseOptions } from "./options.ts";

/** The demonstration's command: `npm run demo`. It always stops the cloud and removes the directory. */

async function main(options: DemoOptions): Promise<number> {
  const directory = mkdtempSync(path.join(tmpdir(), "cinderless-demo-"));
  const remove = (): void => {
    if (!options.keep) {
      rmSync(directory, { recursive: true, force: true });
    }
  };
  const interrupted = interruption(remove);
  // The reader of the output may end early, as `head` does.
  process.stdout.on("error", (error) => interrupted.abort(error));
  const screen = screenOf(process.stdout);
  const { signal } = interrupted;
  try {
    // The next start takes most modules, those of the CDK above all, compiled from the cache.
    enableCompileCache();
    const { runDemo } = await import("./run.ts");
    const ok = await runDemo({ options, directory, screen, stream: process.stdout, signal });
    return ok ? 0 : 1;
  } catch (error) {
    if (signal.aborted) {
      return signal.reason instanceof Interrupted ? signal.reason.exitStatus : 1;
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
  endProcess(await main(parseOptions(process.argv.slice(2))));
} catch (error) {
  if (!(error instanceof CommanderError)) {
    throw error;
  }
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
