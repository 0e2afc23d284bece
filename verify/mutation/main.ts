import { HELP, readOptions, UsageError } from "./options.ts";

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === "help") {
    process.stdout.write(HELP);
    return 0;
  }
  const { runMutation } = await import("./command.ts");
  return runMutation(options);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) {
    throw error;
  }
  process.stderr.write(`mutation: ${error.message}\nTry: npm run mutation -- --help\n`);
  process.exitCode = 2;
}
