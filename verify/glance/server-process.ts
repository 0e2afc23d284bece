import { type ChildProcess, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** A server that was started here. `stop` may be called twice. */
export type Running = { url: string; processId: number; stop: () => Promise<void> };

const START_MS = 120_000;

/** Time for a server to end by itself after SIGTERM. */
const GRACE_MS = 20_000;

/** A free port; another process may take it before it is used, and then the start fails. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

/** Starts a server whose output is appended to the file `log`. */
export function startServer(
  program: string,
  argv: readonly string[],
  log: string,
  environment: Record<string, string> = {},
): ChildProcess {
  const file = openSync(log, "a");
  return spawn(program, argv, { stdio: ["ignore", file, file], env: { ...process.env, ...environment } });
}

/**
 * Waits until `isReady` holds of a server that was just started.
 *
 * @throws Error with the end of the log when the server ends or does not become ready
 */
export async function whenReady(
  child: ChildProcess,
  url: string,
  log: string,
  isReady: () => Promise<boolean>,
): Promise<Running> {
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
    await ended;
    clearTimeout(timer);
  };
  const until = Date.now() + START_MS;
  while (child.exitCode === null && child.signalCode === null && Date.now() < until) {
    if (await isReady()) {
      return { url, processId: child.pid ?? 0, stop };
    }
    await delay(100);
  }
  await stop();
  throw new Error(`${url} did not start:\n${(await readFile(log, "utf8")).slice(-2000)}`);
}

/** Whether the address answers with 200. */
export async function answers(address: string): Promise<boolean> {
  const answer = await fetch(address, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
  return answer?.status === 200;
}
