import { enableCompileCache } from "node:module";
import { CommanderError } from "commander";
import { explain, screenOf } from "./screen.ts";
import { endProcess, Interrupted, interruption } from "./signals.ts";
import { parseStartOptions, type StartOptions } from "./start-options.ts";

/** `npm start`: the embedded cloud with Cinderless deployed to it, until it is asked to end. */

// Records, messages and function logs may hold tokens, and the parts of the cloud create files themselves: only the user who starts it may
// read them.
process.umask(0o077);

async function main(options: StartOptions): Promise<number> {
  const { signal } = interruption();
  try {
    // The next start takes most modules, those of the CDK above all, compiled from the cache.
    enableCompileCache();
    const { serve } = await import("./serve.ts");
    await serve({ options, screen: screenOf(process.stdout), signal });
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) {
      return error.exitStatus;
    }
    process.stderr.write(`error: ${explain(error)}\n`);
    return 1;
  }
}

try {
  endProcess(await main(parseStartOptions(process.argv.slice(2))));
} catch (error) {
  if (!(error instanceof CommanderError)) {
    throw error;
  }
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
