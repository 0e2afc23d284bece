// @ts-nocheck
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { registerAudit } from "./commands/audit.ts";
import { registerBackend } from "./commands/backend.ts";
import { registerCost } from "./commands/cost.ts";
import { registerCreate } from "./commands/create.ts";
import { registerDelete } from "./commands/delete.ts";
import { registerImage } from "./commands/image.ts";
import { registerList } from "./commands/list.ts";
import { registerRedrive } from "./commands/redrive.ts";
import { registerShow } from "./commands/show.ts";
import { registerSnapshot } from "./commands/snapshot.ts";
import { registerType } from "./commands/type.ts";
import { registerWatch } from "./commands/watch.ts";
import { EXIT, explainError, Interrupted, UsageError } from "./errors.ts";
import { renderError } from "./output.ts";
import { DEFAULT_OUTPUTS_FILE } from "./outputs.ts";
import type { CliContext } from "./session.ts";

const EXAMPLES = `
Examples:
  $ cinderless create --size 1 --name scratch --wait
  $ cinderless list --status error
  $ cinderless show 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f
  $ cinderless --stack Cinderless backend list

The deployment is that of --outputs or --stack, else of the file named by CINDERLESS_OUTPUTS, else that of
${DEFAULT_OUTPUTS_FILE}, which the embedded cloud (npm start) writes. CINDERLESS_DEBUG=1 shows where an error comes from.
`;

/** The program with all of its commands. */
export function buildProgram(context: CliContext): Command {
  const program = new Command("cinderless");
  program
    .description("Create volumes as OpenStack Cinder does, with the serverless workflow.")
    .version(readVersion(), "--version", "show the version")
    .option("--json", "answer with one JSON document; errors too, on the error stream")
    .option("--outputs <file>", "outputs of the deployment, as cdk deploy --outputs-file writes them")
    .option("--stack <name>", "CloudFormation stack of the deployment, or which one of the outputs file")
    .helpOption("-h, --help", "show help")
    .helpCommand(false)
    .addHelpText("after", EXAMPLES)
    .configureHelp({
      showGlobalOptions: true,
      sortSubcommands: false,
      // Those of the program alone: what `redrive` takes for itself is not an option of `redrive list`.
      visibleGlobalOptions: ({ parent }) => (parent === null ? [] : [...program.options]),
    })
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      // Reported by `run`, like every other error.
      outputError: () => {},
      getOutHelpWidth: () => context.stdout.columns,
      getErrHelpWidth: () => context.stderr.columns,
      getOutHasColors: () => context.stdout.hasColours,
      getErrHasColors: () => context.stderr.hasColours,
    })
    .exitOverride();
  for (const register of REGISTRATIONS) {
    register(program, context);
  }
  return program;
}

const REGISTRATIONS = [
  registerCreate,
  registerShow,
  registerList,
  registerWatch,
  registerDelete,
  registerSnapshot,
  registerImage,
  registerType,
  registerBackend,
  registerRedrive,
  registerAudit,
  registerCost,
];

/**
 * Runs one command line and reports its failure.
 *
 * @returns The exit status: 0, 1 for a failure, 2 for a command line that is none, 130 after Ctrl-C.
 */
export async function run(
  argv: readonly string[],
  context: CliContext,
  environment: Record<string, string | undefined> = {},
): Promise<number> {
  const program = buildProgram(context);
  try {
    await program.parseAsync(argv, { from: "user" });
    return EXIT.success;
  } catch (error) {
    return report(error, program, argv, context, environment);
  }
}

function report(
  error: unknown,
  program: Command,
  argv: readonly string[],
  context: CliContext,
  environment: Record<string, string | undefined>,
): number {
  const json = isJsonAsked(argv);
  if (error instanceof CommanderError && error.exitCode === 0) {
    return EXIT.success;
  }
  if (error instanceof CommanderError && error.code === "commander.help" && !json) {
    return EXIT.usage;
  }
  const shown = error instanceof CommanderError ? usageErrorOf(error, program, argv) : error;
  const explained = explainError(shown);
  if (shown instanceof Interrupted && !json) {
    context.stderr.write(`${explained.message}\n`);
  } else {
    context.stderr.write(renderError(context.stderr, explained, json));
  }
  if (isSet(environment["CINDERLESS_DEBUG"]) && error instanceof Error) {
    context.stderr.write(`${error.stack ?? ""}\n${causeStack(error)}`);
  }
  return explained.exitStatus;
}

/** Commander's message without its own prefix, with where the help is. */
function usageErrorOf(error: CommanderError, program: Command, argv: readonly string[]): UsageError {
  const path = commandPathOf(program, argv);
  const message = error.code === "commander.help" ? `${path} needs a command` : error.message.replace(/^error: /, "");
  return new UsageError(message, `see ${path} --help`);
}

/** The words of the command line that name the command, as far as they do. */
function commandPathOf(program: Command, argv: readonly string[]): string {
  let command = program;
  const path = [program.name()];
  for (const word of argv) {
    const next = command.commands.find((one) => one.name() === word);
    if (next !== undefined) {
      command = next;
      path.push(word);
    }
  }
  return path.join(" ");
}

/** Options may stand anywhere before `--`; a command line that cannot be parsed is asked as well. */
function isJsonAsked(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end === -1 ? argv : argv.slice(0, end)).includes("--json");
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value !== "0";
}

function causeStack(error: Error): string {
  return error.cause instanceof Error ? `caused by ${error.cause.stack ?? ""}\n` : "";
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "unknown";
}
