import { createWriteStream } from "node:fs";
import path from "node:path";
import { startCinderless } from "../../local/cinderless.ts";
import { explain } from "../../local/screen.ts";

/** What the process is started with, as JSON in its first argument. */
export type CloudProcessOptions = {
  directory: string;
  context: Record<string, unknown>;
  ports: { dynamodb: number; messaging: number; compute: number };
  functionEnvironment: Record<string, string>;
};

/** What it says once, when it serves. */
export type CloudReady = {
  outputs: Record<string, string>;
  endpoints: Record<string, string>;
  /** Physical names by logical id. */
  resources: Record<string, string>;
};

/** Cinderless on a data directory, as `npm start` has it, until it is killed. Its parent's end is its own. */
async function serve({ directory, ...options }: CloudProcessOptions): Promise<void> {
  const log = createWriteStream(path.join(directory, "cloud.log"), { flags: "a" });
  const write = (line: string): void => void log.write(`${line}\n`);
  const { cloud } = await startCinderless({
    ...options,
    directory,
    persistent: true,
    maxHistory: 200,
    logSink: write,
    problemSink: (line) => write(`PROBLEM ${line}`),
  });
  const { outputs, endpoints, resources } = cloud;
  process.send?.({ outputs, endpoints, resources } satisfies CloudReady);
}

process.on("disconnect", () => process.exit(0));
// Ctrl-C in a terminal reaches this process too; its parent ends it.
process.on("SIGINT", () => undefined);
try {
  await serve(JSON.parse(process.argv[2] ?? "{}") as CloudProcessOptions);
} catch (error) {
  process.stderr.write(`error: ${explain(error)}\n`);
  process.exit(1);
}
