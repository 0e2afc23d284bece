import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { registerAttach, registerDetach } from "./commands/attach.ts";
import { registerAudit } from "./commands/audit.ts";
import { registerBackend } from "./commands/backend.ts";
import { registerCompletion } from "./commands/completion.ts";
import { registerConnection } from "./commands/connection.ts";
import { registerConsole } from "./commands/console.ts";
import { registerCost } from "./commands/cost.ts";
import { registerCreate } from "./commands/create.ts";
import { registerDelete, registerPurge } from "./commands/delete.ts";
import { registerEnv } from "./commands/env.ts";
import { registerExtend } from "./commands/extend.ts";
import { registerHelp } from "./commands/help.ts";
import { registerImage } from "./commands/image.ts";
import { registerList } from "./commands/list.ts";
import { registerQuota } from "./commands/quota.ts";
import { registerRedrive } from "./commands/redrive.ts";
import { registerReplay } from "./commands/replay.ts";
import { registerRetry } from "./commands/retry.ts";
import { registerService } from "./commands/service.ts";
import { registerSet } from "./commands/set.ts";
import { registerShow } from "./commands/show.ts";
import { registerSnapshot } from "./commands/snapshot.ts";
import { registerType } from "./commands/type.ts";
import { registerWatch } from "./commands/watch.ts";
import { CommandEnded, EXIT, explainError, Interrupted, UsageError } from "./errors.ts";
import { renderError } from "./output.ts";
import { COMPLETE, complete } from "./completion.ts";
import { TOPIC_NAMES } from "./help-topics.ts";
import { DEFAULT_OUTPUTS_FILE } from "./outputs.ts";
import type { CliContext } from "./session.ts";

const EXAMPLES = `
Examples:
  $ cinderless create scratch --size 1 --wait
  $ cinderless list --status error
  $ cinderless show scratch
  $ cinderless --profile staging backend list

The deployment is that of --outputs or --stack, else of --profile, else of the file named by CINDERLESS_OUTPUTS, else
that of ${DEFAULT_OUTPUTS_FILE}, which the embedded cloud (npm start) writes.

Exit status: 0 done, 1 failed, 2 an invalid command line, 130 after Ctrl-C.
Topics: ${TOPIC_NAMES.join(", ")}; \`cinderless help TOPIC\` shows one.
`;

/** The program with all of its commands. */
function buildProgram(context: CliContext, isJson = false): Command {
  const program = new Command("cinderless");
  program
    .description("Create volumes as OpenStack Cinder does, with the serverless workflow.")
    .version(readVersion(), "--version", "show the version")
    .option("--json", "answer with one JSON document; errors too, on the error stream")
    .option("--no-color", "write no colors, like NO_COLOR=1")
    .option("--outputs <file>", "outputs of the deployment, as cdk deploy --outputs-file writes them")
    .option("--profile <name>", "profile of the deployment, see `cinderless help profiles`")
    .option("--stack <name>", "CloudFormation stack of the deployment, or which one of the outputs file")
    .helpOption("-h, --help", "show help")
    .helpCommand(false)
    .addHelpText("after", EXAMPLES)
    .configureHelp({
      showGlobalOptions: true,
      sortSubcommands: false,
      // Only options of the program: the options of `redrive` are not options of `redrive list`.
      visibleGlobalOptions: ({ parent }) => (parent === null ? [] : [...program.options]),
    })
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      // With --json only the error's document is written.
      writeErr: (text) => {
        if (!isJson) {
          context.stderr.write(text);
        }
      },
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
  registerSet,
  registerExtend,
  registerAttach,
  registerDetach,
  registerConnection,
  registerRetry,
  registerDelete,
  registerPurge,
  registerSnapshot,
  registerImage,
  registerType,
  registerBackend,
  registerService,
  registerQuota,
  registerRedrive,
  registerAudit,
  registerConsole,
  registerReplay,
  registerCost,
  registerEnv,
  registerCompletion,
  registerHelp,
];

/**
 * Runs one command line and reports its failure.
 *
 * @returns The exit status: 0, 1 for a failure, 2 for an invalid command line, 130 after Ctrl-C.
 */
export async function run(
  argv: readonly string[],
  context: CliContext,
  environment: Record<string, string | undefined> = {},
): Promise<number> {
  const program = buildProgram(context, isJsonAsked(argv));
  try {
    if (argv[0] === COMPLETE) {
      await complete(program, argv);
      return EXIT.success;
    }
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
  if (error instanceof CommandEnded) {
    return error.exitStatus;
  }
  if (error instanceof CommanderError && error.exitCode === 0) {
    return EXIT.success;
  }
  if (error instanceof CommanderError && error.code === "commander.help" && !json) {
    return EXIT.usage;
  }
  const shown = error instanceof CommanderError ? usageErrorOf(error, program, argv) : error;
  const explained = explainError(shown);
  const isTraced = isSet(environment["CINDERLESS_DEBUG"]) && error instanceof Error;
  const stack = isTraced ? `${error.stack ?? ""}${causeStack(error)}` : undefined;
  if (shown instanceof Interrupted && !json && stack === undefined) {
    context.stderr.write(`${explained.message}\n`);
  } else {
    context.stderr.write(renderError(context.stderr, explained, json, stack));
  }
  return explained.exitStatus;
}

/** Commander's message without its own prefix, with a pointer to the help. */
function usageErrorOf(error: CommanderError, program: Command, argv: readonly string[]): UsageError {
  const path = commandPathOf(program, argv);
  const message = error.code === "commander.help" ? `${path} needs a command` : error.message.replace(/^error: /, "");
  return new UsageError(message, `see ${path} --help`);
}

/** The words of the command line that name the command. */
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

/** Options may stand anywhere before `--`; this also covers a command line that cannot be parsed. */
function isJsonAsked(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end === -1 ? argv : argv.slice(0, end)).includes("--json");
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value !== "0";
}

function causeStack(error: Error): string {
  return error.cause instanceof Error ? `\ncaused by ${error.cause.stack ?? ""}` : "";
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "unknown";
}
