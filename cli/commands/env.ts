import type { Command } from "commander";
import { CommandEnded } from "../errors.ts";
import { type CliContext, targetOf } from "../session.ts";

const EXAMPLES = `
Examples:
  $ cinderless env -- aws sqs list-queues
  $ cinderless env -- openstack volume list
  $ cinderless env -- bash

The shell's own variables stay as they are. Version 2.13 of the AWS CLI or newer follows them (aws --version).
Exit status: that of the command; 127 when there is no such command, 126 when it cannot be run.
`;

/** `env`: runs one command with the embedded cloud's variables, as `environment.sh` sets them in a whole shell. */
export function registerEnv(program: Command, context: CliContext): void {
  program
    .command("env")
    .summary("run a command with the embedded cloud's variables")
    .description("Run a command, such as the AWS CLI, with the endpoints and keys of the embedded cloud (npm start).")
    .usage("[options] -- <command> [arguments]")
    .argument("<command...>", "the command and its arguments, after --")
    .addHelpText("after", EXAMPLES)
    .action(async (words: string[], _options: unknown, command: Command) => {
      const { target } = await targetOf(context, command);
      throw new CommandEnded(await context.runInEmbeddedCloud(target, words));
    });
}
