import { parseArgs } from "node:util";
import { AREAS, type AreaName } from "./areas.ts";

/** How the command is used. */
export const HELP = `Usage: npm run mutation [-- AREA...] [-- OPTIONS]
       npm run mutation -- promises [BUG...] [OPTIONS]

Breaks the product on purpose and checks that the tests notice.

Without "promises": changes one expression at a time (Stryker) in a random sample of each area's lines and runs the
area's tests. Prints the share of changes that a test caught, and the changes that survived.

With "promises": puts each bug of the catalog into a copy of the repository, one at a time. A unit test and the fault
matrix (or chaos) must both catch it. Exits 1 if a bug survives either, or no longer applies to the source.

Areas: ${Object.keys(AREAS).join(", ")}

  --seconds N     time for each area (default 120)
  --seed N        which lines are sampled (default 1)
  --least N       exit 1 when the score of an area is below N percent
  --jobs N        processes (default 2)
  --whole         with "promises": run the whole fault matrix for each bug, not only the cell that is known to catch it
  --write         keep the result in docs/mutation.json
  --json          print one JSON document
  --help

Examples:
  npm run mutation -- scheduling claims --seconds 300
  npm run mutation -- promises
  npm run mutation -- promises no-fence-on-finish --whole
`;

/** Options of a run. */
export type Options = {
  /** "promises" runs the catalog; an area list runs Stryker. */
  mode: "areas" | "promises";
  areas: AreaName[];
  /** Ids of catalog bugs; empty for all. */
  bugs: string[];
  seconds: number;
  seed: number;
  least: number;
  jobs: number;
  whole: boolean;
  write: boolean;
  json: boolean;
};

/** A mistake of the caller, explained in one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Reads the command line. @throws UsageError */
export function readOptions(args: readonly string[]): Options | "help" {
  const { values, positionals } = parse(args);
  if (values.help) {
    return "help";
  }
  const isPromises = positionals[0] === "promises";
  return {
    mode: isPromises ? "promises" : "areas",
    areas: isPromises ? [] : areasOf(positionals),
    bugs: isPromises ? positionals.slice(1) : [],
    seconds: wholeNumber("--seconds", values.seconds, 1),
    seed: wholeNumber("--seed", values.seed, 0),
    least: wholeNumber("--least", values.least, 0),
    jobs: wholeNumber("--jobs", values.jobs, 1),
    whole: values.whole,
    write: values.write,
    json: values.json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        seconds: { type: "string", default: "120" },
        seed: { type: "string", default: "1" },
        least: { type: "string", default: "0" },
        jobs: { type: "string", default: "2" },
        whole: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function areasOf(names: readonly string[]): AreaName[] {
  const known = Object.keys(AREAS) as AreaName[];
  for (const name of names) {
    if (!(known as string[]).includes(name)) {
      throw new UsageError(`unknown area ${JSON.stringify(name)}; the areas are ${known.join(", ")}`);
    }
  }
  return names.length === 0 ? known : (names as AreaName[]);
}

function wholeNumber(option: string, text: string, least: number): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number) || number < least) {
    throw new UsageError(`${option} must be a whole number from ${least}, not ${JSON.stringify(text)}`);
  }
  return number;
}
