import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

/**
 * Opens an address in the person's browser, if there is a program that does that. The address holds a secret, and every user of a
 * machine sees the arguments of its processes: so the browser opens a file that only this user can read, which leads there.
 *
 * @returns what removes the file
 */
export async function openBrowser(url: string): Promise<() => Promise<void>> {
  const directory = await mkdtemp(path.join(tmpdir(), "cinderless-console-"));
  const file = path.join(directory, "open.html");
  await writeFile(file, `<!doctype html><meta http-equiv="refresh" content="0;url=${url}">\n`, { mode: 0o600 });
  const [command, ...before] = OPENERS[process.platform] ?? ["xdg-open"];
  const child = spawn(command, [...before, pathToFileURL(file).href], { stdio: "ignore", detached: true });
  // Where there is none, the address on the terminal is what there is.
  child.on("error", () => {});
  child.unref();
  return () => rm(directory, { recursive: true, force: true });
}

const OPENERS: Partial<Record<NodeJS.Platform, [string, ...string[]]>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""],
};
