import { parseArgs } from "node:util";

/** How the command is used. */
export const HELP = `Usage: npm run faults [-- OPTIONS]

Runs creates of every kind with every fault at every call of every function, lets each come to rest in virtual time, and checks
the twelve invariants. Exits 1 when one is broken, or when a state, a function or a call of a port is reached by no scenario.

  --only PARTS    the cells whose names have these parts in this order, divided by "/": scenario, state or function,
                  call, fault. A state or call may carry its number ("#2").
  --seed N        order of simultaneous events, and the drawn pairs (default 1)
  --pairs N       this many random pairs of faults in addition to the single ones (default 4000)
  --every N       one of N cells, the seed chooses which, and at least one of each function, call and fault (default 1: all)
  --jobs N        threads (default 2)
  --write         write docs/fault-matrix.md and docs/fault-matrix.svg
  --json          one JSON document instead of text
  --help

Examples:
  npm run faults
  npm run faults -- --only CreateVolumeOnFinish/notifier.publish
  npm run faults -- --only "raw/CreateRawVolume#1/driver.createVolume#1/dies after" --seed 7
  npm run faults -- --seed 42 --pairs 50000
  npm run faults -- --every 4                  a fourth, as CI does with each commit's seed
`;

/** Options of a run. */
export type Options = {
  only: string | undefined;
  seed: number;
  pairs: number;
  every: number;
  jobs: number;
  write: boolean;
  json: boolean;
};

/** A mistake of the caller: one line and the way to help. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Reads the command line. @throws UsageError */
export function readOptions(): Options | "help" {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        only: { type: "string" },
        seed: { type: "string", default: "1" },
        pairs: { type: "string" },
        every: { type: "string", default: "1" },
        jobs: { type: "string", default: "2" },
        write: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
  if (values.help) {
    return "help";
  }
  const every = wholeNumber("--every", values.every, 1);
  if (values.write && (values.only !== undefined || every > 1)) {
    throw new UsageError("--write needs the whole matrix: it cannot go with --only or --every");
  }
  return {
    only: values.only,
    seed: wholeNumber("--seed", values.seed, 0),
    pairs: wholeNumber("--pairs", values.pairs ?? (values.only === undefined ? "4000" : "0"), 0),
    every,
    jobs: wholeNumber("--jobs", values.jobs, 1),
    write: values.write,
    json: values.json,
  };
}

function wholeNumber(option: string, text: string, least: number): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number) || number < least) {
    throw new UsageError(`${option} must be a whole number from ${least}, not ${JSON.stringify(text)}`);
  }
  return number;
}
