import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const COMMAND = fileURLToPath(new URL("../cli/cinderless.js", import.meta.url));

/** The console of an embedded cloud, in a process of its own. */
export type ConsoleProcess = {
  /** Its address with its token; undefined when it could not start. The reason is on the error stream. */
  readonly url: Promise<string | undefined>;
  /** Ends it. A console that has ended is not an error. */
  stop: () => Promise<void>;
};

/** Starts `cinderless console` on a deployment. It also ends when this process dies, because its channel to it then closes. */
export function startConsoleProcess(outputsFile: string): ConsoleProcess {
  const argv = [COMMAND, "--outputs", outputsFile, "--json", "console", "--no-open"];
  // The address of the cloud and its credentials are next to the outputs.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(AWS|CINDERLESS)_/.test(name)));
  const child = spawn(process.execPath, argv, { env, stdio: ["ignore", "pipe", "inherit", "ipc"] });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  return {
    url: Promise.race([urlOf(child), ended.then(() => undefined)]),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGTERM");
        await ended;
      }
    },
  };
}

/** Stays pending when the process ends without an address. */
function urlOf({ stdout }: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    stdout?.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      if (text.trimEnd().endsWith("}")) {
        resolve((JSON.parse(text) as { url: string }).url);
      }
    });
  });
}
