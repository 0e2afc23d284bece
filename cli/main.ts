import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Connection } from "./connection.ts";
import { EXIT } from "./errors.ts";
import type { Target } from "./outputs.ts";
import { run } from "./program.ts";
import type { CliContext } from "./session.ts";
import { outputOfStream } from "./terminal.ts";

/** Runs the command line on this process. */
export async function main(): Promise<void> {
  endQuietlyOnClosedPipe(process.stdout);
  endQuietlyOnClosedPipe(process.stderr);
  const argv = process.argv.slice(2);
  process.exitCode = await run(argv, processContext(argv), process.env);
}

function processContext(argv: readonly string[]): CliContext {
  return {
    stdout: outputOfStream(process.stdout, argv, process.env),
    stderr: outputOfStream(process.stderr, argv, process.env),
    clock: { now: () => new Date() },
    newId: () => randomUUID(),
    sleep: async (milliseconds, signal) => {
      await delay(milliseconds, undefined, { signal }).catch(() => {});
    },
    interruption,
    confirm: process.stdin.isTTY && process.stderr.isTTY ? askAtTerminal : undefined,
    profile: async (name) => {
      if (name === undefined && !process.env["CINDERLESS_PROFILE"]) {
        return {};
      }
      const { readProfile } = await import("./profiles.ts");
      return readProfile(name, process.env);
    },
    connect: connectLazily,
    runInEmbeddedCloud: async (target, words) => {
      const { runInEmbeddedCloud } = await import("./embedded-environment.ts");
      return runInEmbeddedCloud(target, words, process.env);
    },
  };
}

/** Every answer except yes means no, as does the end of the input. */
async function askAtTerminal(question: string): Promise<boolean> {
  const { createInterface } = await import("node:readline/promises");
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const closed = once(lines, "close").then(() => "");
    return /^y(es)?$/i.test((await Promise.race([lines.question(`${question} [y/N] `), closed])).trim());
  } finally {
    lines.close();
  }
}

/**
 * Aborts at the first Ctrl-C, and when the process that started this one by a channel dies. The second ends the process at once. The listener stays: the library that restores the cursor ends the
 * process itself when it finds no other listener.
 */
function interruption(): AbortSignal {
  const controller = new AbortController();
  process.on("SIGINT", () => {
    if (controller.signal.aborted) {
      process.exit(EXIT.interrupted);
    }
    controller.abort();
  });
  // `npm start` has a channel to its console, which closes when it dies.
  process.once("disconnect", () => controller.abort());
  process.channel?.unref();
  return controller.signal;
}

/** The connection's own code is loaded on first use. */
function connectLazily(target: Target): Connection {
  let opened: Promise<Connection> | undefined;
  const open = () =>
    (opened ??= import("./aws-connection.ts").then(({ openConnection }) => openConnection(target, process.env)));
  return {
    volumes: async () => (await open()).volumes(),
    snapshots: async () => (await open()).snapshots(),
    locks: async () => (await open()).locks(),
    volumeTypes: async () => (await open()).volumeTypes(),
    backends: async () => (await open()).backends(),
    deadLetters: async () => (await open()).deadLetters(),
    projects: async () => (await open()).projects(),
    audits: async () => (await open()).audits(),
    imageCache: async () => (await open()).imageCache(),
    schedulerQueue: async () => (await open()).schedulerQueue(),
    images: async () => (await open()).images(),
    defaultImageService: async () => (await open()).defaultImageService(),
    backendHosts: async () => (await open()).backendHosts(),
    serviceDownSeconds: async () => (await open()).serviceDownSeconds(),
    consumersAccessPoint: async () => (await open()).consumersAccessPoint(),
    driverFunctions: async () => (await open()).driverFunctions(),
    executions: async () => (await open()).executions(),
    alarms: async () => (await open()).alarms(),
    close: () => {
      // A connection that could not be opened has nothing to close; the first use reported its failure.
      opened?.then(
        (connection) => connection.close(),
        () => {},
      );
    },
  };
}

/** `cinderless list | head` closes the pipe early: that is not a failure of the command. */
function endQuietlyOnClosedPipe(stream: NodeJS.WriteStream): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") {
      process.exit(0);
    }
    throw error;
  });
}
