import type { Connection, ImageStore } from "../../cli/connection.ts";
import type { Target } from "../../cli/outputs.ts";
import type { Profile } from "../../cli/profiles.ts";
import { run } from "../../cli/program.ts";
import type { CliContext } from "../../cli/session.ts";
import type { Output } from "../../cli/terminal.ts";
import { newVolume, type VolumeRecord } from "../../core/records.ts";
import { ProjectsFake } from "../../simulation/stores/projects.ts";

/** The command line with everything outside replaced. */

/** The clock of {@link runCli}; each sleep moves it on. */
export const NOW = new Date("2026-03-04T05:06:07.000Z");

/** No source is being copied, unless a test brings its own locks. */
const NO_LOCKS = { of: async () => ({ items: [] }) };

/** An output that keeps what is written; `live` areas are kept as their successive texts. */
export type RecordedOutput = Output & { text: string; frames: string[]; persisted: string[] };

/** A recorded output, of a file or of a terminal without colours. */
export function recordedOutput(isTty = false, columns = 120): RecordedOutput {
  const output: RecordedOutput = {
    text: "",
    frames: [],
    persisted: [],
    isTty,
    hasColours: false,
    columns,
    rows: 24,
    write: (text) => {
      output.text += text;
    },
    live: async () => ({
      update: (text) => output.frames.push(text),
      persist: (text) => output.persisted.push(text),
      end: () => {},
    }),
  };
  return output;
}

/** The result of one run of the command line. */
export type CliRun = {
  status: number;
  stdout: string;
  stderr: string;
  targets: Target[];
  closed: number;
  outputs: { stdout: RecordedOutput; stderr: RecordedOutput };
};

/** Settings of a run. */
export type CliRunOptions = {
  isTty?: boolean;
  /** Width of both outputs. */
  columns?: number;
  environment?: Record<string, string>;
  /** The profile of a name; without it every profile is empty. */
  profile?: (name: string | undefined) => Profile;
  /** Ctrl-C comes before everything. */
  interrupted?: boolean;
  /** Answers of the user at the terminal, in turn; without them there is no terminal. */
  answers?: boolean[];
  /** Called at each sleep, before it ends; may change the fakes, or abort. */
  onSleep?: (turn: number, abort: () => void) => void;
};

/** Runs the command line on parts of a connection; a part that is not given must not be asked for, but for the projects, which are empty. */
export async function runCli(
  argv: readonly string[],
  parts: Partial<{ [Part in keyof Connection]: unknown }> = {},
  options: CliRunOptions = {},
): Promise<CliRun> {
  const stdout = recordedOutput(options.isTty, options.columns);
  const stderr = recordedOutput(options.isTty, options.columns);
  const targets: Target[] = [];
  let closed = 0;
  let ids = 0;
  let turn = 0;
  let now = NOW.getTime();
  const noProjects = new ProjectsFake({ now: () => new Date(now) });
  const controller = new AbortController();
  if (options.interrupted === true) {
    controller.abort();
  }
  const part = (name: keyof Connection) => async () => {
    if (parts[name] === undefined) {
      throw new Error(`${name} was asked for`);
    }
    return parts[name] as never;
  };
  const context: CliContext = {
    stdout,
    stderr,
    clock: { now: () => new Date(now) },
    newId: () => `00000000-0000-4000-8000-${String((ids += 1)).padStart(12, "0")}`,
    sleep: async (milliseconds) => {
      now += milliseconds;
      turn += 1;
      if (turn > 1000) {
        throw new Error("slept a thousand times");
      }
      options.onSleep?.(turn, () => controller.abort());
    },
    interruption: () => controller.signal,
    confirm:
      options.answers === undefined
        ? undefined
        : async (question) => {
            stderr.write(question);
            return options.answers?.shift() ?? false;
          },
    profile: async (name) => options.profile?.(name) ?? {},
    runInEmbeddedCloud: async () => {
      throw new Error("a command was to be run");
    },
    connect: (target) => {
      targets.push(target);
      return {
        volumes: part("volumes"),
        snapshots: part("snapshots"),
        locks: async () => (parts.locks ?? NO_LOCKS) as never,
        volumeTypes: part("volumeTypes"),
        backends: part("backends"),
        deadLetters: part("deadLetters"),
        projects: parts.projects === undefined ? async () => noProjects : part("projects"),
        imageCache: part("imageCache"),
        schedulerQueue: part("schedulerQueue"),
        images: part("images"),
        defaultImageService: async () => (parts.defaultImageService === "glance" ? "glance" : "bucket"),
        backendHosts: async () => (parts.backendHosts ?? []) as string[],
        serviceDownSeconds: async () => (parts.serviceDownSeconds ?? 300) as number,
        consumersAccessPoint: async () => parts.consumersAccessPoint as string | undefined,
        driverFunctions: part("driverFunctions"),
        executions: part("executions"),
        audits: part("audits"),
        alarms: part("alarms"),
        close: () => {
          closed += 1;
        },
      };
    },
  };
  const status = await run(argv, context, options.environment);
  return {
    status,
    stdout: stdout.text,
    stderr: stderr.text,
    targets,
    closed,
    outputs: { stdout, stderr },
  };
}

/** Id of {@link volume}. */
export const VOLUME_ID = "11111111-1111-4111-8111-111111111111";

/** A volume that is available after one attempt. */
export function volume(changes: Partial<VolumeRecord> = {}): VolumeRecord {
  return newVolume({
    id: VOLUME_ID,
    project_id: "admin",
    user_id: "admin",
    size: 2,
    status: "available",
    display_name: "data",
    availability_zone: "nova",
    host: "storage@file1#pool",
    created_at: "2026-03-04T05:00:00.000Z",
    updated_at: "2026-03-04T05:00:02.000Z",
    scheduled_at: "2026-03-04T05:00:00.500Z",
    launched_at: "2026-03-04T05:00:02.000Z",
    fence: `${VOLUME_ID}-a1`,
    attempts: {
      "1": {
        host: "storage@file1#pool",
        execution: `${VOLUME_ID}-a1`,
        started_at: "2026-03-04T05:00:00.500Z",
        ended_at: "2026-03-04T05:00:02.000Z",
        outcome: "created",
      },
    },
    ...changes,
  });
}

/** A volume that is being created. */
export function volumeAtWork(changes: Partial<VolumeRecord> = {}): VolumeRecord {
  return volume({
    status: "creating",
    phase: "creating",
    launched_at: null,
    deadline: "2026-03-04T06:00:00.000Z",
    ...changes,
  });
}

/** An image as its store describes it. */
export function image(
  changes: Partial<Awaited<ReturnType<ImageStore["get"]>>> = {},
): Awaited<ReturnType<ImageStore["get"]>> {
  return {
    id: "22222222-2222-4222-8222-222222222222",
    name: "disk",
    status: "active",
    disk_format: "raw",
    container_format: "bare",
    size: 3 * 1024 ** 3,
    min_disk: 0,
    min_ram: 0,
    checksum: null,
    os_hash_algo: null,
    os_hash_value: null,
    owner: "admin",
    visibility: "private",
    properties: {},
    ...changes,
  };
}
