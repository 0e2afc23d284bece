import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** How a program ended, with all that it wrote. */
export type Ended = { status: number | null; stdout: string; stderr: string };

/** A program of the repository that runs. */
export type Child = {
  /** Waits until standard output has the text. @throws when the program ends before */
  says(text: string): Promise<void>;
  /** Waits until the error stream matches; the match. @throws when the program ends before */
  warns(pattern: RegExp): Promise<string>;
  /** Standard output so far. */
  text(): string;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<Ended>;
};

/**
 * Starts a program of the repository, by its path from the root. The AWS variables of this process are kept from it.
 *
 * @param launcher command that starts it in its own place, given what to start as its last arguments
 */
export function startChild(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
  launcher: readonly string[] = [],
): Child {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(AWS|CINDERLESS)_/.test(name));
  const [command = "", ...argv] = [...launcher, process.execPath, program, ...args];
  const child = spawn(command, argv, {
    cwd: ROOT,
    env: { ...Object.fromEntries(inherited), NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close").then(([status]) => ({ status: status as number | null, stdout, stderr }));
  const found = async <Value>(wanted: string, stream: Readable, find: () => Value | undefined): Promise<Value> => {
    let over = false;
    void ended.then(() => (over = true));
    for (;;) {
      const value = find();
      if (value !== undefined) return value;
      if (over) throw new Error(`${program} ended without saying ${wanted}: ${stdout}${stderr}`);
      await Promise.race([once(stream, "data"), ended]);
    }
  };
  return {
    ended,
    text: () => stdout,
    kill: (signal) => void child.kill(signal),
    says: async (text) => {
      await found(text, child.stdout, () => stdout.includes(text) || undefined);
    },
    warns: (pattern) => found(String(pattern), child.stderr, () => pattern.exec(stderr)?.[0]),
  };
}

/** Runs a program of the repository to its end. */
export function runChild(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return startChild(program, args, env).ended;
}
