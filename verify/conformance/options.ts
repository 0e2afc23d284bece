import { Command } from "commander";

/** Options of the command line. Without a file the project's own are taken; `only` picks cases and vectors by their names. */
export type ConformanceOptions = {
  cases?: string;
  vectors?: string;
  images?: string;
  api?: boolean;
  only?: string;
  json: boolean;
  verbose: boolean;
};

const EXAMPLES = `
Examples:
  npm run conformance
  npm run conformance -- --only image/           cases and vectors whose name has that in it
  npm run conformance -- --cases other-cases.json
  npm run conformance -- --vectors other-vectors.json --verbose
  npm run conformance -- --images test/data/images
  npm run conformance -- --api                   requests to the Block Storage API
  npm run conformance --silent -- --json | jq .totals

Without --cases, --vectors and --images the project's own cases and vectors are run; with one of them, only that one.

Exit status: 0 when nothing is unexplained and, for the project's own cases, every row of
docs/cinder-differences.md is used; 1 otherwise; 2 for an invalid command line or file.`;

/**
 * Reads the command line.
 *
 * @throws CommanderError, also after --help; the message has been written by then.
 */
export function parseOptions(argv: readonly string[]): ConformanceOptions {
  const command = new Command("npm run conformance --")
    .description(
      "Replays what was recorded of Cinder 21.3.1 and of the seed flow, and compares how each case ends: create-volume cases through " +
        "the synthesised workflow and the real functions in the embedded cloud, scheduler vectors through the scheduler's rules.",
    )
    .option("--cases <file>", "other create-volume cases of the same form")
    .option("--vectors <file>", "other scheduler vectors of the same form")
    .option("--images <directory>", "a directory of images with expected.json, of which volumes are made")
    .option("--api", "recorded requests to the Block Storage API instead, in their order; --only does not go with it")
    .option("--only <text>", "only those whose name contains the text")
    .option("--json", "print one JSON document at the end and nothing before")
    .option("--verbose", "print the fields that differ, also where a row explains them")
    .addHelpText("after", EXAMPLES)
    .exitOverride();
  return {
    json: false,
    verbose: false,
    ...command.parse(argv, { from: "user" }).opts<Omit<ConformanceOptions, "json" | "verbose">>(),
  };
}
