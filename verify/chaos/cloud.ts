import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CloudProcessOptions, CloudReady } from "./cloud-process.ts";

/** Cinderless in a process of its own, which can be killed. */
export type KillableCloud = CloudReady & {
  /**
   * Ends the process by SIGKILL and starts another on the same directory and ports; milliseconds until it serves.
   *
   * @param whileDead done in between
   */
  killAndRestart(whileDead: () => Promise<void>): Promise<number>;
  /** Whether a kill is under way, and the next process does not serve yet. */
  isRestarting(): boolean;
  /** Ends the process for good. May be called twice. */
  end(): Promise<void>;
};

/** Loading, synthesis and deployment on a busy machine. */
const START_MILLISECONDS = 120_000;

const PROGRAM = fileURLToPath(new URL("./cloud-process.ts", import.meta.url));

/** @throws Error with one line when it does not start */
export async function startCloud(options: Omit<CloudProcessOptions, "ports">): Promise<KillableCloud> {
  const free = { dynamodb: 0, messaging: 0, compute: 0, httpApi: 0 };
  let running = await startProcess({ ...options, ports: free });
  const { endpoints, outputs } = running.ready;
  // The next process has the same addresses, so that clients only have to repeat their requests.
  const ports = {
    dynamodb: portOf(endpoints["dynamodb"]),
    messaging: portOf(endpoints["sqs"]),
    compute: portOf(endpoints["sfn"]),
    httpApi: portOf(outputs["BlockStorageApiUrl"]),
  };
  let ended = false;
  let isRestarting = false;
  return {
    ...running.ready,
    killAndRestart: async (whileDead) => {
      isRestarting = true;
      await kill(running.child);
      await whileDead();
      const start = performance.now();
      const next = await startProcess({ ...options, ports });
      running = next;
      isRestarting = false;
      if (ended) {
        await kill(next.child);
      }
      return performance.now() - start;
    },
    isRestarting: () => isRestarting,
    end: async () => {
      ended = true;
      await kill(running.child);
    },
  };
}

async function startProcess(options: CloudProcessOptions): Promise<{ child: ChildProcess; ready: CloudReady }> {
  const child = fork(PROGRAM, [JSON.stringify(options)], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    execArgv: ["--max-semi-space-size=8"],
    env: { ...process.env, MALLOC_ARENA_MAX: "2" },
  });
  let complaint = "";
  child.stderr?.on("data", (data: Buffer) => {
    complaint = `${complaint}${data.toString()}`.slice(-2000);
  });
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), START_MILLISECONDS);
  try {
    const ready = once(child, "message", { signal: giveUp.signal });
    const exit = once(child, "exit", { signal: giveUp.signal });
    exit.catch(() => undefined);
    ready.catch(() => undefined);
    const [message] = (await Promise.race([ready, exit.then(() => [undefined])])) as [CloudReady | undefined];
    if (message === undefined) {
      throw new Error(`the cloud did not start: ${lastLine(complaint)}`);
    }
    return { child, ready: message };
  } catch (error) {
    await kill(child);
    throw giveUp.signal.aborted ? new Error(`the cloud did not start in ${START_MILLISECONDS / 1000} s`) : error;
  } finally {
    clearTimeout(timer);
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

function portOf(endpoint: string | undefined): number {
  return Number(new URL(endpoint ?? "").port);
}
