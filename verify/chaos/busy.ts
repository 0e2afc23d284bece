import { type ChildProcess, spawn } from "node:child_process";

/**
 * Starts processes that each use a core for as long as the run lasts, as a build or a backup on the same machine does. Returned is
 * how to end them; a process whose parent has died ends by itself.
 */
export function keepBusy(count: number): () => void {
  const processes = Array.from({ length: count }, (): ChildProcess =>
    spawn(process.execPath, ["--eval", SPIN, String(process.pid)], { stdio: "ignore" }),
  );
  return () => processes.forEach((child) => void child.kill("SIGKILL"));
}

/** Computes for a second, then looks whether the process that started it still runs. */
const SPIN = `
  const parent = Number(process.argv[1]);
  for (;;) {
    const until = Date.now() + 1000;
    while (Date.now() < until);
    try { process.kill(parent, 0); } catch { process.exit(0); }
  }
`;
