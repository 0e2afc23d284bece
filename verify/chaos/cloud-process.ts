import { createWriteStream, readFileSync } from "node:fs";
import path from "node:path";
import { startEmbeddedCloud } from "@cinderless/embedded-cloud";
import { STACK_NAME } from "../../infra/stack-name.ts";
import { explain } from "../../local/screen.ts";

/** Start parameters of the process, as JSON in its first argument. */
export type CloudProcessOptions = {
  directory: string;
  /** The cloud assembly that the CDK app was synthesised to. */
  assembly: string;
  ports: { dynamodb: number; messaging: number; compute: number; httpApi: number };
  functionEnvironment: Record<string, string>;
};

/** The message that it sends once it serves. */
export type CloudReady = {
  outputs: Record<string, string>;
  endpoints: Record<string, string>;
  /** Physical names by logical id. */
  resources: Record<string, string>;
};

/** The embedded cloud on a data directory, as `npm start` has it, until it is killed. Its parent's end is its own. */
async function serve({ directory, assembly, ...options }: CloudProcessOptions): Promise<void> {
  const log = createWriteStream(path.join(directory, "cloud.log"), { flags: "a" });
  const write = (line: string): void => void log.write(`${line}\n`);
  const { outputs, endpoints, resources } = await startEmbeddedCloud({
    ...options,
    template: JSON.parse(readFileSync(path.join(assembly, `${STACK_NAME}.template.json`), "utf8")) as unknown,
    assetDirectory: assembly,
    stackName: STACK_NAME,
    dataDirectory: path.join(directory, "cloud"),
    // A function that times out ends its thread, and the other calls in the thread are made again. Many do here, so few calls share a
    // thread.
    sharedThreads: 4,
    environmentsPerFunction: 8,
    maxHistory: 200,
    logSink: write,
    problemSink: (line) => write(`PROBLEM ${line}`),
  });
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
