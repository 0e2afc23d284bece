import { Command, InvalidArgumentError } from "commander";

/** Options of the command line. */
export type StartOptions = {
  dataDir: string;
  port: number;
  backends?: string;
  imageServices?: string;
  verbose: boolean;
};

/** Ports in a row from the base port on: DynamoDB; SQS, SNS and S3; Step Functions and Lambda; the Block Storage API. */
const PORT_COUNT = 4;

const EXAMPLES = `
Examples:
  npm start
  npm start -- --data-dir /var/tmp/cinderless --port 5000
  npm start -- --backends backends.json
  CINDERLESS_SECRETS='{"glance":{"token":"..."}}' npm start -- --image-services images.json

Then, in another shell:
  source .cinderless/environment.sh
  npx cinderless create --size 1 --wait
  npx cinderless console
  aws stepfunctions list-state-machines

backends.json is a list such as
  [{"host": "me@ssd", "driver": "file", "options": {"directory": "/mnt/ssd/volumes"}}]

and images.json an object such as
  {"glance": {"api_servers": ["http://127.0.0.1:9292"], "auth": {"type": "fixed_token", "secret": "glance"}}}

Ctrl-C stops it: running function calls get 20 s to reach a checkpoint. A second Ctrl-C stops it at
once. Volumes, records, queues, images and executions stay in the data directory, and the next start
continues running executions.`;

/**
 * Reads the command line.
 *
 * @throws CommanderError, also after --help; the message has been written by then.
 */
export function parseStartOptions(argv: readonly string[]): StartOptions {
  const command = new Command("npm start --")
    .description(
      "Runs the embedded cloud on 127.0.0.1 with Cinderless deployed to it, until Ctrl-C. The AWS CLI, " +
        "any AWS SDK and the cinderless command work against it.",
    )
    .option("--data-dir <dir>", "where everything is kept", parseDirectory, ".cinderless")
    .option("--port <number>", `first of ${PORT_COUNT} ports; 0 selects free ones`, parsePort, 4580)
    .option("--backends <file>", "JSON file with backends; by default two directories below the data directory")
    .option("--image-services <file>", "JSON file with Glance services to use in addition to the image bucket")
    .option("--verbose", "show the functions' logs, which otherwise go to functions.log")
    .addHelpText("after", EXAMPLES)
    .configureOutput({ outputError: (text, write) => write(`${text.trim()} (see npm start -- --help)\n`) })
    .exitOverride();
  return { verbose: false, ...command.parse(argv, { from: "user" }).opts<Omit<StartOptions, "verbose">>() };
}

function parseDirectory(text: string): string {
  if (text === "") {
    throw new InvalidArgumentError("It must not be empty.");
  }
  return text;
}

function parsePort(text: string): number {
  const port = Number(text);
  const last = 65_536 - PORT_COUNT;
  if (!/^[0-9]+$/.test(text) || port > last) {
    throw new InvalidArgumentError(`It must be a whole number from 0 to ${last}.`);
  }
  return port;
}
