import { readFileSync } from "node:fs";

/** The largest resident size of this process in KiB. On Linux the value of the resource usage begins with that of the parent process. */
export function peakKibibytes(): number {
  try {
    const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    return Number(kibibytes ?? process.resourceUsage().maxRSS);
  } catch {
    return process.resourceUsage().maxRSS;
  }
}
