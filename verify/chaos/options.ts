import { Command, InvalidArgumentError } from "commander";

/** Options of the command line. */
export type ChaosOptions = {
  volumes: number;
  faultRate: number;
  kills: number;
  seed: number;
  /** Processes that keep the cores busy. */
  busy: number;
  json: boolean;
  keep: boolean;
};

const EXAMPLES = `
Examples:
  npm run chaos                                                       200 volumes, 3 kills
  npm run chaos -- --volumes 2000 --fault-rate 0.1 --kills 5 --seed 7
  npm run chaos -- --kills 0 --fault-rate 0.3                          faults alone
  npm run chaos -- --busy 2                                            on a machine whose two cores are busy
  npm run chaos --silent -- --json | jq .violations

Exit status: 0 when every check held, 1 when one did not (the data directory is kept then, and its path
printed), 2 for an invalid command line, 130 after Ctrl-C.`;

/** Faults strike most calls otherwise, and nothing is ever created that could be lost. */
const HIGHEST_RATE = 0.5;

/**
 * Reads the command line.
 *
 * @param newSeed draws a seed when none is named
 * @throws CommanderError, also after --help; what there is to say has been written by then.
 */
export function parseOptions(argv: readonly string[], newSeed: () => number): ChaosOptions {
  const command = new Command("npm run chaos --")
    .description(
      "Creates volumes in the embedded cloud while its backends and services fail at random and its process is killed, " +
        "waits until everything is at rest, and checks that nothing is stuck, doubled or lost.",
    )
    .option("--volumes <count>", "volumes to ask for", wholeNumber(1, 100_000), 200)
    .option("--fault-rate <rate>", `share of calls that fail, from 0 to ${HIGHEST_RATE}`, parseRate, 0.1)
    .option("--kills <count>", "how often the process is killed", wholeNumber(0, 100), 3)
    .option("--busy <processes>", "processes that use a core each while the run lasts", wholeNumber(0, 64), 0)
    .option("--seed <number>", "seed of faults, kills and work (default: drawn, and printed)", wholeNumber(0))
    .option("--json", "print one JSON document at the end and nothing before", false)
    .option("--keep", "keep the data directory even when every check held", false)
    .addHelpText("after", EXAMPLES)
    .exitOverride();
  const parsed = command.parse(argv, { from: "user" });
  if (parsed.args.length > 0) {
    parsed.error(`error: there is no argument ${parsed.args[0]}`, { exitCode: 2 });
  }
  const options = parsed.opts<Omit<ChaosOptions, "seed"> & { seed?: number }>();
  return { ...options, seed: options.seed ?? newSeed() };
}

function wholeNumber(least: number, most: number = 2 ** 31) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

function parseRate(text: string): number {
  const rate = Number(text);
  if (!/^\d*\.?\d+$/.test(text) || rate > HIGHEST_RATE) {
    throw new InvalidArgumentError(`It must be a number from 0 to ${HIGHEST_RATE}.`);
  }
  return rate;
}
