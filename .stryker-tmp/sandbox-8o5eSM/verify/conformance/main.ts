// @ts-nocheck
import { CommanderError } from "commander";
import { describeError } from "../../core/errors.ts";
import { EXIT, UnusableInput } from "./exit.ts";
import { parseOptions } from "./options.ts";

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(argv);
    // All that the flow is made of: a moment to load, which a mistake of the caller need not wait for.
    const { conformance } = await import("./command.ts");
    return await conformance(options);
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? EXIT.same : EXIT.unusable;
    }
    console.error(`conformance: ${describeError(error).message}`);
    return error instanceof UnusableInput ? EXIT.unusable : EXIT.different;
  }
}
