// @ts-nocheck
import { HELP, readOptions, UsageError } from "./options.ts";

async function main(): Promise<number> {
  const options = readOptions();
  if (options === "help") {
    process.stdout.write(HELP);
    return 0;
  }
  // All that the flow is made of: a moment to load, which a mistake of the caller need not wait for.
  const { runFaults } = await import("./command.ts");
  return runFaults(options);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) {
    throw error;
  }
  process.stderr.write(`faults: ${error.message}\nTry: npm run faults -- --help\n`);
  process.exitCode = 2;
}
