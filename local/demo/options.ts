import { Command, InvalidArgumentError } from "commander";

/** Options of the command line. */
export type DemoOptions = { keep: boolean; json: boolean; failWith: string };

const EXAMPLES = `
Examples:
  npm run demo
  npm run demo -- --keep                         look at the volumes afterwards
  npm run demo --silent -- --json | jq .volumes
  npm run demo -- --fail-with ImageCopyFailure   an error that allows no second attempt: the
                                                 expectation of one is reported as failed

Exit status: 0 when every volume ended as it should, 1 when one did not or the cloud did not start,
2 for an invalid command line, 130 after Ctrl-C.`;

/**
 * Reads the command line.
 *
 * @throws CommanderError, also after --help; the message has been written by then.
 */
export function parseOptions(argv: readonly string[]): DemoOptions {
  const command = new Command("npm run demo --")
    .description(
      "Boots the embedded cloud in a temporary directory, deploys the synthesised template to it, " +
        "creates volumes through the scheduler queue, and checks how each of them ended.",
    )
    .option("--keep", "keep the temporary directory, with volumes, images and logs")
    .option("--json", "print one JSON document at the end and nothing before")
    .option("--fail-with <error>", "error of the failing backend", parseErrorName, "VolumeBackendAPIException")
    .addHelpText("after", EXAMPLES)
    .exitOverride();
  return { keep: false, json: false, ...command.parse(argv, { from: "user" }).opts<Pick<DemoOptions, "failWith">>() };
}

function parseErrorName(text: string): string {
  if (!/^[A-Za-z][A-Za-z0-9._]*$/.test(text)) {
    throw new InvalidArgumentError("It must be an error's name.");
  }
  return text;
}
