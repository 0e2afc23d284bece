import type { EmbeddedCloud } from "@cinderless/embedded-cloud";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const COMMAND = fileURLToPath(new URL("../../cli/cinderless.js", import.meta.url));

/** A console that runs as a process. */
export type ConsoleCommand = {
  /** Its address, with the token. */
  url: string;
  /** Ends the command by a signal; its exit status. A command that has ended is not an error. */
  end: (signal: NodeJS.Signals) => Promise<number | null>;
};

/** Puts the outputs and the environment of a cloud into a directory, where commands that are started there find them. */
export function keepOutputs(
  directory: string,
  { outputs, environment }: Pick<EmbeddedCloud, "outputs" | "environment">,
): void {
  const place = path.join(directory, ".cinderless");
  mkdirSync(place);
  writeFileSync(path.join(place, "outputs.json"), JSON.stringify({ Cinderless: outputs }));
  writeFileSync(path.join(place, "environment.json"), JSON.stringify(environment));
}

/**
 * Starts `cinderless console` without a browser, and waits for its address.
 *
 * @param options words before `console`, and the process's directory and variables
 * @throws Error when the command ends first
 */
export function startConsole(options: {
  argv?: readonly string[];
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}): Promise<ConsoleCommand> {
  const { argv = [], ...place } = options;
  const child = spawn(process.execPath, [COMMAND, ...argv, "console", "--no-open", "--json"], {
    ...place,
    stdio: ["ignore", "pipe", "inherit"],
  });
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      if (text.trimEnd().endsWith("}")) {
        const { url } = JSON.parse(text) as { url: string };
        resolve({ url, end: (signal) => ended(child, signal) });
      }
    });
    child.on("error", reject);
    child.on("exit", (status) => reject(new Error(`the command ended with ${status}: ${text}`)));
  });
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await exit;
  }
  return child.exitCode;
}
