import type { Command } from "commander";

/** Completion for shells, by a library that reads commander's own commands and options. It is loaded only for this command. */

/** The command that the shells' scripts call, with the words of the line after `--`. */
export const COMPLETE = "complete";

/** Shells that have a script. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** Answers a shell: one line for each word that may follow. */
export async function complete(program: Command, argv: readonly string[]): Promise<void> {
  const { default: addCompletion } = await import("@bomb.sh/tab/commander");
  // The library registers commands of its own.
  addCompletion(program, { completionCommandName: "completion-script" });
  await program.parseAsync(argv, { from: "user" });
}

/** Writes the script that makes a shell complete `cinderless`. */
export async function writeScript(shell: (typeof SHELLS)[number]): Promise<void> {
  const { default: tab } = await import("@bomb.sh/tab");
  tab.setup("cinderless", "cinderless", shell);
}
