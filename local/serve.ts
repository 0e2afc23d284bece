import { createWriteStream, readFileSync } from "node:fs";
import path from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { type EmbeddedCloud, EmbeddedCloudError } from "@cinderless/embedded-cloud";
import { DynamoDbBackendRepository } from "../adapters/dynamodb/backend-repository.ts";
import { checkDriverOptions } from "../adapters/driver-options.ts";
import { type Backend, parseBackends } from "../core/backends/backends.ts";
import { InvalidInput } from "../core/errors.ts";
import { parseImageServices } from "../core/images/image-services.ts";
import { waitForBackends } from "./backends-ready.ts";
import { localContext, startCinderless } from "./cinderless.ts";
import { type ConsoleProcess, startConsoleProcess } from "./console-process.ts";
import { type EnvironmentFiles, quoteForShell, writeEnvironmentFiles } from "./environment-files.ts";
import { failureIn } from "./function-logs.ts";
import { explain, oneLine, type Screen, seconds } from "./screen.ts";
import type { StartOptions } from "./start-options.ts";

/** Longest wait for the first reports of the backends. */
const BACKENDS_MILLISECONDS = 5000;

/** Time for running function calls to reach a checkpoint when the cloud has to stop. */
const GRACE_MILLISECONDS = 20_000;

/** Number of failures that are remembered in order not to show them again. */
const MOST_REMEMBERED = 1000;

/** More executions than these are only counted. */
const MOST_LISTED = 20;

/** Dependencies of `serve`. */
export type ServeContext = { options: StartOptions; screen: Screen; signal: AbortSignal };

/**
 * Starts the embedded cloud on the data directory and serves until the signal is aborted.
 *
 * @throws with one line for people when it cannot start; the signal's reason when it was aborted before it had started
 */
export async function serve({ options, screen, signal }: ServeContext): Promise<void> {
  const startedAt = new Date();
  const directory = path.resolve(options.dataDir);
  const backends = options.backends === undefined ? undefined : readOptions(options.backends, parseUsableBackends);
  const imageServices =
    options.imageServices === undefined ? undefined : readOptions(options.imageServices, parseImageServices);
  screen.write(`\n${screen.paint("bold", "Cinderless on this machine")}\n  starting in ${directory} ...\n`);
  const crash = Promise.withResolvers<never>();
  // A crash while it stops for another reason is not reported.
  crash.promise.catch(() => {});
  const logs = openLogs(directory, options, screen);
  const { cloud, stop } = await startCinderless({
    directory,
    persistent: true,
    signal,
    ports: portsFrom(options.port),
    context: {
      ...(backends === undefined ? {} : { backends }),
      ...(imageServices === undefined ? {} : { image_services: imageServices }),
    },
    ...logs,
    crashSink: (line) => crash.reject(new Error(`${line}; data that was stored before is kept: start it again`)),
  }).catch((error: unknown) => {
    throw withHint(error);
  });
  let console: ConsoleProcess | undefined;
  try {
    const hosts = (backends ?? parseBackends(localContext(directory).backends)).map(({ host }) => host);
    const files = writeEnvironmentFiles(directory, cloud);
    console = startConsoleProcess(files.outputs);
    const [silent, consoleUrl] = await Promise.all([
      silentBackends(cloud, hosts, startedAt, signal),
      Promise.race([console.url, aborted(signal).then(() => undefined)]),
    ]);
    signal.throwIfAborted();
    const spent = seconds(Date.now() - startedAt.getTime());
    screen.write(describe(screen, { cloud, consoleUrl, hosts, silent, files, directory, spent }));
    await Promise.race([aborted(signal), crash.promise]);
    await console.stop();
    screen.write(describeStop(cloud));
    await Promise.race([stop(GRACE_MILLISECONDS), crash.promise]);
    screen.write("  stopped; all data is kept\n");
  } finally {
    await console?.stop();
    await stop();
  }
}

/** The running work when the cloud has to stop, and its continuation. */
function describeStop({ executions, counters }: EmbeddedCloud): string {
  const running = executions.list({ status: "RUNNING" }).toReversed();
  const shown = running.slice(0, MOST_LISTED).map(({ name, state = "-" }) => `    ${name}  ${state}\n`);
  const more = running.length - shown.length;
  return [
    ...(running.length === 0
      ? []
      : [`  ${count(running.length, "running execution")}, to be continued at the next start:\n`, ...shown]),
    ...(more > 0 ? [`    and ${more} more\n`] : []),
    ...(counters.runningInvocations === 0
      ? []
      : [
          `  waiting for ${count(counters.runningInvocations, "function call")} to reach a checkpoint, ` +
            `${GRACE_MILLISECONDS / 1000} s at most; Ctrl-C again stops at once\n`,
        ]),
  ].join("");
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

/** Backends with the options of their drivers. @throws InvalidInput */
function parseUsableBackends(value: unknown): Backend[] {
  const backends = parseBackends(value);
  checkDriverOptions(backends);
  return backends;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    }
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function portsFrom(first: number): { dynamodb: number; messaging: number; compute: number; httpApi: number } {
  const port = (index: number): number => (first === 0 ? 0 : first + index);
  return { dynamodb: port(0), messaging: port(1), compute: port(2), httpApi: port(3) };
}

/** @throws Error that names the file and the problem */
function readOptions<Options>(file: string, parse: (value: unknown) => Options): Options {
  try {
    return parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const reason =
      error instanceof InvalidInput
        ? error.message.replace(/^Invalid input received: /, "")
        : isMissing
          ? "no such file"
          : explain(error);
    throw new Error(`${file}: ${oneLine(reason)}`, { cause: error });
  }
}

/**
 * Writes the functions' logs to a file, opened with the first line, because the directory then belongs to this process. Failures are shown
 * as well, each once.
 */
function openLogs(directory: string, { verbose }: StartOptions, screen: Screen) {
  const file = path.join(directory, "functions.log");
  let stream: NodeJS.WritableStream | undefined;
  const shown = new Set<string>();
  const warn = (line: string): void => screen.write(`  ${screen.paint("yellow", "warning:")} ${oneLine(line)}\n`);
  const write = (line: string): void => {
    stream ??= createWriteStream(file, { mode: 0o600 }).on("error", (error) => warn(explain(error)));
    stream.write(`${line}\n`);
    const failure = failureIn(line);
    if (failure === undefined || shown.has(failure)) return;
    if (shown.size >= MOST_REMEMBERED) shown.clear();
    shown.add(failure);
    warn(failure);
  };
  return { logSink: verbose ? (line: string) => screen.write(`${oneLine(line)}\n`) : write, problemSink: warn };
}

/** The reason why the start fails, and the remedy. */
function withHint(error: unknown): unknown {
  if (error instanceof Error && "code" in error && error.code === "ENOSPC") {
    return new Error("no space is left in the data directory; free some, or name another directory with --data-dir", {
      cause: error,
    });
  }
  if (!(error instanceof EmbeddedCloudError)) {
    return error;
  }
  const hint = error.message.startsWith("data directory ")
    ? "name another with --data-dir"
    : "name another with --port";
  return /^data directory |port \d+ .*in use/.test(error.message)
    ? new EmbeddedCloudError(`${error.message}; ${hint}`, { cause: error })
    : error;
}

/** The hosts of backends that get no volumes, because they do not report. */
async function silentBackends(
  cloud: EmbeddedCloud,
  hosts: readonly string[],
  since: Date,
  signal: AbortSignal,
): Promise<string[]> {
  const client = new DynamoDBClient({
    endpoint: cloud.endpoints.dynamodb,
    region: cloud.environment["AWS_REGION"] ?? "",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  const clock = { now: () => new Date() };
  try {
    const tableName = cloud.outputs["BackendsTableName"] ?? "";
    const claimsTableName = cloud.outputs["ClaimsTableName"] ?? "";
    const backends = new DynamoDbBackendRepository({ client, tableName, claimsTableName, clock });
    return await waitForBackends(backends, hosts, since, BACKENDS_MILLISECONDS, signal);
  } finally {
    client.destroy();
  }
}

type Description = {
  cloud: EmbeddedCloud;
  consoleUrl: string | undefined;
  hosts: readonly string[];
  silent: readonly string[];
  files: EnvironmentFiles;
  directory: string;
  spent: string;
};

function describe(screen: Screen, { cloud, consoleUrl, hosts, silent, files, directory, spent }: Description): string {
  const { endpoints } = cloud;
  const fields: [string, string][] = [
    ["console", consoleUrl ?? "npx cinderless console"],
    ["DynamoDB", endpoints.dynamodb],
    ["SQS, SNS, S3", endpoints.sqs],
    ["Step Functions, Lambda", endpoints.sfn],
    ["Block Storage API", cloud.outputs["BlockStorageApiUrl"] ?? "none"],
    ["backends", hosts.join(", ")],
    ["environment", files.shell],
    ["outputs", files.outputs],
    ...(files.clouds === undefined ? [] : ([["OpenStack clients", files.clouds]] satisfies [string, string][])),
    ["logs", path.join(directory, "functions.log")],
  ];
  const lines = fields.map(([name, value]) => `  ${screen.paint("dim", name.padEnd(22))}  ${value}\n`);
  const warnings = silent.map(
    (host) =>
      `  ${screen.paint("yellow", "warning:")} ${host} has not reported; no volume is placed on it until it does\n`,
  );
  const example = [
    `source ${quoteForShell(shortest(files.shell))}`,
    "npx cinderless create --size 1 --wait",
    "npx cinderless console",
    "aws stepfunctions list-state-machines",
  ].map((line) => `  ${line}\n`);
  return [
    `  ${screen.paint("green", "ready")} after ${spent}; Ctrl-C stops it, and all data is kept\n\n`,
    ...lines,
    ...warnings,
    `\n${screen.paint("bold", "Try it in another shell")}\n`,
    ...example,
  ].join("");
}

/** The path in its shortest form. */
function shortest(file: string): string {
  const relative = path.relative("", file);
  return relative.startsWith("..") ? file : relative;
}
