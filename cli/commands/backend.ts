import { type Command, InvalidArgumentError } from "commander";
import { backendHost } from "../../core/backends.ts";
import type { BackendRecord } from "../../core/records.ts";
import { SERVICE_DOWN_SECONDS } from "../../core/time-bounds.ts";
import { CliError, Interrupted } from "../errors.ts";
import { formatCapacity, formatDuration, text } from "../format.ts";
import { renderTable } from "../output.ts";
import { withSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { paint, styleOfStatus } from "../terminal.ts";

/** `backend list`: where volumes can go, and what is free there. */
export function registerBackend(program: Command, context: CliContext): void {
  const backend = program
    .command("backend")
    .helpCommand(false)
    .summary("list backends")
    .description("Backends, one entry for each of their pools.");
  backend
    .command("list")
    .summary("list backends and their capacity")
    .description(
      `List the backends that have reported. One whose last report is older than ${SERVICE_DOWN_SECONDS} s is down and gets no volume.`,
    )
    .option("--wait", "wait until every configured backend is up, as after a deployment")
    .option("--timeout <seconds>", "with --wait, how long to wait", parseSeconds, DEFAULT_TIMEOUT_SECONDS)
    .addHelpText(
      "after",
      "\nExamples:\n  $ cinderless backend list\n  $ cinderless backend list --wait --timeout 120\n  $ cinderless backend list --json\n",
    )
    .action((options: ListOptions, command: Command) =>
      withSession(context, command, async (session) => {
        const backends = await (options.wait === true ? waitForReports(session, options.timeout) : reported(session));
        await listBackends(session, backends);
      }),
    );
}

type ListOptions = { wait?: boolean; timeout: number };

/** Backends report each minute, and the schedule of a new stack may take another one to begin. */
const DEFAULT_TIMEOUT_SECONDS = 300;
const PAUSE_MS = 2000;

function parseSeconds(text: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) {
    throw new InvalidArgumentError("It must be a whole number of seconds, 1 to 99999.");
  }
  return Number(text);
}

async function reported(session: Session): Promise<BackendRecord[]> {
  return (await session.connection.backends()).list();
}

/**
 * Reads the backends until each configured one has a pool that is up; until any is, when the stack does not name them.
 *
 * Throws: CliError that names those that are not up when the time is over; Interrupted after Ctrl-C.
 */
async function waitForReports(session: Session, timeoutSeconds: number): Promise<BackendRecord[]> {
  const hosts = await session.connection.backendHosts();
  const interruption = session.interruption();
  const end = session.clock.now().getTime() + timeoutSeconds * 1000;
  for (;;) {
    const backends = await reported(session);
    const now = session.clock.now();
    const up = new Set(
      backends.filter((backend) => stateOfBackend(backend, now) === "up").map(({ host }) => backendHost(host)),
    );
    const missing = hosts.filter((host) => !up.has(host));
    if (up.size > 0 && missing.length === 0) {
      return backends;
    }
    if (interruption.aborted) {
      throw new Interrupted("not every backend is up yet");
    }
    if (now.getTime() >= end) {
      throw new CliError(
        missing.length === 0
          ? `no backend is up after ${timeoutSeconds} s`
          : `not up after ${timeoutSeconds} s: ${missing.join(", ")}`,
        { hint: "the log of the function ReportBackends says why a backend does not report" },
      );
    }
    await session.sleep(PAUSE_MS, interruption);
  }
}

async function listBackends(session: Session, backends: readonly BackendRecord[]): Promise<void> {
  const now = session.clock.now();
  await session.answer(
    { backends: backends.map((backend) => ({ ...backend, state: stateOfBackend(backend, now) })) },
    () => {
      if (backends.length === 0) {
        return "no backend has reported yet\n";
      }
      const rows = backends.map((backend) => {
        const state = stateOfBackend(backend, now);
        return [
          text(backend.host),
          paint(session.stdout, styleOfStatus(state), state),
          text(backend.availability_zone),
          formatCapacity(backend.total_capacity_gb),
          formatCapacity(backend.free_capacity_gb),
          formatCapacity(backend.allocated_capacity_gb),
          formatCapacity(backend.provisioned_capacity_gb),
          String(Object.keys(backend.claims).length),
          `${formatDuration(now.getTime() - Date.parse(backend.reported_at))} ago`,
        ];
      });
      return renderTable(session.stdout, HEAD, rows, [3, 4, 5, 6, 7]);
    },
  );
}

const HEAD = ["HOST", "STATE", "ZONE", "TOTAL GiB", "FREE", "ALLOCATED", "PROVISIONED", "CLAIMS", "REPORTED"];

/** Whether the scheduler would consider the backend. */
export function stateOfBackend(
  backend: Pick<BackendRecord, "disabled" | "reported_at">,
  now: Date,
): "up" | "down" | "disabled" {
  if (backend.disabled) {
    return "disabled";
  }
  return now.getTime() - Date.parse(backend.reported_at) > SERVICE_DOWN_SECONDS * 1000 ? "down" : "up";
}
