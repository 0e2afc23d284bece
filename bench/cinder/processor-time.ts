import { readdir, readFile } from "node:fs/promises";

/** Milliseconds of a clock tick in `/proc`, on every Linux that Node runs on. */
const TICK_MS = 10;

type Process = { parent: number; ticks: number };

/** Milliseconds of processor time that the processes and their descendants have used, also those that ended and were waited for. Linux only. */
export async function processorMilliseconds(roots: readonly number[]): Promise<number> {
  const processes = await readProcesses();
  const wanted = new Set(roots);
  const belongs = (id: number): boolean => {
    const found = processes.get(id);
    return wanted.has(id) || (found !== undefined && found.parent > 0 && belongs(found.parent));
  };
  let ticks = 0;
  for (const [id, each] of processes) {
    ticks += belongs(id) ? each.ticks : 0;
  }
  return ticks * TICK_MS;
}

async function readProcesses(): Promise<Map<number, Process>> {
  const processes = new Map<number, Process>();
  for (const name of await readdir("/proc")) {
    // A process may end between the two reads.
    const stat = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, "utf8").catch(() => "") : "";
    if (stat !== "") {
      processes.set(Number(name), parse(stat));
    }
  }
  return processes;
}

/** proc_pid_stat(5): the fields behind the name in parentheses, which may contain anything, begin with the third. */
function parse(stat: string): Process {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  return { parent: field(4), ticks: field(14) + field(15) + field(16) + field(17) };
}
