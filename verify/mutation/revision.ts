import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** The short hash of the commit that a working tree is based on, for numbers that are kept with it. */
export async function revision(root: string): Promise<string> {
  const { stdout } = await promisify(execFile)("git", ["rev-parse", "--short", "HEAD"], { cwd: root });
  return stdout.trim();
}
