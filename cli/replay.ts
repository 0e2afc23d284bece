import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { HistoryEvent } from "./cost/history.ts";
import { CliError } from "./errors.ts";
import type { Session } from "./session.ts";

/** The caller of this tree's functions: a separate process, to which a debugger can be attached. */
const PROGRAM = fileURLToPath(new URL("../local/replay/main.ts", import.meta.url));

/** One call of a function as its history has it; input, output and cause are JSON text. */
export type RecordedCall = {
  state: string;
  input: string;
  output: string | null;
  error: string | null;
  cause: string | null;
};

/** The answer of a call. */
export type CallOutcome = { output: unknown } | { error: string; message: string };

/** One call, as it was recorded and as the function of this tree answers now. */
export type ReplayedCall = {
  state: string;
  input: unknown;
  recorded: CallOutcome;
  replayed: CallOutcome;
  /** Empty when both are the same. */
  differences: string[];
};

/** The calls of functions in a history with data. A call that was retried is there as often as it was made. */
export function callsOf(events: readonly HistoryEvent[]): RecordedCall[] {
  const calls: RecordedCall[] = [];
  let state = "";
  let input: string | undefined;
  for (const { type, stateName, data, error = null, cause = null } of events) {
    if (type.endsWith("StateEntered")) {
      state = stateName ?? "";
    } else if (type === "LambdaFunctionScheduled") {
      input = data;
    } else if (/^LambdaFunction(Succeeded|Failed|TimedOut)$/.test(type) && input !== undefined) {
      calls.push({ state, input, output: data ?? null, error, cause });
      input = undefined;
    }
  }
  return calls;
}

/** How a replay is run. */
export type ReplayOptions = {
  /** Whether the functions wait until a debugger is attached. */
  debug: boolean;
  /** Called for each call as soon as it is compared. */
  onCall: (call: ReplayedCall) => void;
};

/**
 * Calls the functions of this tree with the recorded inputs of an execution, in memory, and stops at the first answer that differs.
 *
 * @returns how many calls were recorded, and whether every answer is the recorded one
 * @throws CliError when the execution is not known, or its history has no inputs
 */
export async function replayExecution(
  session: Pick<Session, "connection">,
  execution: string,
  options: ReplayOptions,
): Promise<{ recorded: number; isSame: boolean }> {
  const events = await (await session.connection.executions()).history(execution, true);
  const calls = callsOf(events ?? []);
  if (events === undefined || calls.length === 0) {
    const why = events === undefined ? "is not known" : "has no calls with their inputs in its history";
    throw new CliError(`execution ${execution} ${why}`, {
      name: "ExecutionDoesNotExist",
      hint: "`cinderless show VOLUME --json` names the execution of each attempt; Step Functions keeps histories for 90 days",
    });
  }
  const directory = await mkdtemp(join(tmpdir(), "cinderless-replay-"));
  try {
    const file = join(directory, "recording.json");
    const recording = { execution, calls, sources: await sourcesOf(session, calls) };
    await writeFile(file, JSON.stringify(recording), { mode: 0o600 });
    return { recorded: calls.length, isSame: await run(file, options) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Records that the history does not hold, by the ids in the inputs. One that is gone shows as a difference. */
async function sourcesOf(
  { connection }: Pick<Session, "connection">,
  calls: readonly RecordedCall[],
): Promise<{ volume: object | null; snapshot: object | null }> {
  const inputs = calls.map(({ input }) => JSON.parse(input) as Record<string, unknown>);
  const idUnder = (key: string): string | undefined =>
    inputs.map((input) => input[key]).find((value) => typeof value === "string");
  const orNull = <Value>(read: () => Promise<Value>): Promise<Value | null> => read().catch(() => null);
  const [volumeId, snapshotId] = [idUnder("source_volid"), idUnder("snapshot_id")];
  return {
    volume: volumeId === undefined ? null : await orNull(async () => (await connection.volumes()).get(volumeId)),
    snapshot:
      snapshotId === undefined ? null : await orNull(async () => (await connection.snapshots()).get(snapshotId)),
  };
}

async function run(file: string, { debug, onCall }: ReplayOptions): Promise<boolean> {
  // Nothing of the deployment may be reached: the process has no credentials and no endpoints.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(AWS|CINDERLESS)_/.test(name)));
  const child = spawn(process.execPath, [...(debug ? ["--inspect-brk=127.0.0.1:0"] : []), PROGRAM, file], {
    env,
    stdio: ["ignore", "pipe", debug ? "inherit" : "pipe"],
  });
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (log += text));
  const ended = once(child, "close");
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    onCall(JSON.parse(line) as ReplayedCall);
  }
  const [status] = (await ended) as [number | null];
  if (status !== 0 && status !== 1) {
    throw new CliError(
      `the replay ended with status ${status ?? "of a signal"}: ${log.trim().split("\n").at(-1) ?? ""}`,
    );
  }
  return status === 0;
}
