import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import { TOPIC_NAMES, topicText } from "../help-topics.ts";
import type { CliContext } from "../session.ts";

/** `help`: a topic, or a command as `--help` shows it. */
export function registerHelp(program: Command, context: CliContext): void {
  program
    .command("help")
    .summary("show help for a command or a topic")
    .description(`Show help for a command, or for a topic: ${TOPIC_NAMES.join(", ")}.`)
    .argument("[words...]", "a topic, or the name of a command")
    .addHelpText("after", "\nExamples:\n  $ cinderless help formats\n  $ cinderless help snapshot create\n")
    .action((words: string[]) => {
      const topic = words.length === 1 ? topicText(words[0] ?? "") : undefined;
      if (topic !== undefined) {
        context.stdout.write(`${topic}\n`);
        return;
      }
      commandOf(program, words).outputHelp();
    });
}

/** @throws UsageError that names the topics */
function commandOf(program: Command, words: readonly string[]): Command {
  return words.reduce((command, word) => {
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) {
      throw new UsageError(
        `there is no command or topic '${words.join(" ")}'`,
        `the topics are ${TOPIC_NAMES.join(", ")}`,
      );
    }
    return next;
  }, program);
}
