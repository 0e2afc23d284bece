import { type Command, Argument } from "commander";
import { SHELLS, writeScript } from "../completion.ts";
import type { CliContext } from "../session.ts";

const EXAMPLES = `
Examples:
  $ source <(cinderless completion bash)
  $ cinderless completion zsh > "\${fpath[1]}/_cinderless"
  $ cinderless completion fish > ~/.config/fish/completions/cinderless.fish

The shell must find \`cinderless\` on its PATH: \`npm link\`, or PATH="$PWD/node_modules/.bin:$PATH".
`;

/** `completion`: the script that makes a shell complete commands and options. */
export function registerCompletion(program: Command, _context: CliContext): void {
  program
    .command("completion")
    .summary("write a script for shell completion")
    .description("Write the script that makes a shell complete commands, options and their values.")
    .addArgument(new Argument("<shell>", "your shell").choices(SHELLS))
    .addHelpText("after", EXAMPLES)
    .action((shell: (typeof SHELLS)[number]) => writeScript(shell));
}
