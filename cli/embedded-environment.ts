import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { CliError, UsageError } from "./errors.ts";
import { outputsFileOf, readEnvironmentBeside, type Target } from "./outputs.ts";

/** Variables of a shell that would change a client's endpoints or signature, or make it ignore the endpoints. */
export const VARIABLES_IN_THE_WAY = [
  "AWS_PROFILE",
  "AWS_DEFAULT_PROFILE",
  "AWS_SESSION_TOKEN",
  "AWS_SECURITY_TOKEN",
  "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
];

/** Exit statuses of shells and env(1) when there is no such command, and when it cannot be run. */
const NO_COMMAND: Readonly<Record<string, number>> = { ENOENT: 127, EACCES: 126 };

/**
 * Runs a command with the variables that the embedded cloud leaves next to its outputs, and without variables that contradict them. The
 * process's own variables stay as they are. The command has this process's input and outputs.
 *
 * Interrupted: a terminal sends Ctrl-C to both processes. This one waits for the command, which decides how to end. SIGTERM and SIGHUP are passed on.
 * Throws: CliError when there is no such file or command.
 *
 * @returns the command's exit status, or 128 and the number of the signal that ended it
 */
export async function runInEmbeddedCloud(
  target: Target,
  [command = "", ...args]: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const env = { ...environment, ...(await variablesOf(target, environment)) };
  VARIABLES_IN_THE_WAY.forEach((name) => delete env[name]);
  let child: ChildProcess | undefined;
  // Before the command starts: it may send a signal at once.
  const listeners = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => {
    const listener = () => void (signal !== "SIGINT" && child?.kill(signal));
    process.on(signal, listener);
    return () => process.off(signal, listener);
  });
  try {
    const started = spawn(command, args, { stdio: "inherit", env });
    child = started;
    return await new Promise((resolve, reject) => {
      started.on("error", (error) => reject(startError(command, error)));
      started.on("close", (status, signal) =>
        resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal])),
      );
    });
  } finally {
    listeners.forEach((remove) => remove());
  }
}

async function variablesOf(
  target: Target,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Record<string, string>> {
  const file = outputsFileOf(target, environment);
  if (file === undefined) {
    throw new UsageError("env is for the embedded cloud, and --stack names a deployed stack", "run the command itself");
  }
  const variables = await readEnvironmentBeside(file);
  if (variables === undefined) {
    throw new CliError(`there is no environment.json next to ${file}`, {
      hint: "start the embedded cloud with `npm start`, or name its outputs with --outputs FILE",
    });
  }
  return variables;
}

function startError(command: string, error: NodeJS.ErrnoException): CliError {
  const exitStatus = NO_COMMAND[error.code ?? ""];
  const reason = error.code === "ENOENT" ? "there is no such command on the PATH" : error.message;
  return new CliError(`cannot run '${command}': ${reason}`, { ...(exitStatus !== undefined && { exitStatus }) });
}
