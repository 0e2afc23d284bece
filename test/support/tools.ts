import { execFileSync } from "node:child_process";

/** Whether a program that a test compares with is installed; a test that needs one says so in its name, and is skipped without it. */
export function hasTool(tool: string): boolean {
  try {
    execFileSync(tool, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
