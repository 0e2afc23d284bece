// @ts-nocheck
import type { Command } from "commander";
import type { BackendRecord } from "../../core/records.ts";
import { SERVICE_DOWN_SECONDS } from "../../core/time-bounds.ts";
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
    .addHelpText("after", "\nExamples:\n  $ cinderless backend list\n  $ cinderless backend list --json\n")
    .action((_options: unknown, command: Command) => withSession(context, command, listBackends));
}

async function listBackends(session: Session): Promise<void> {
  const backends = await (await session.connection.backends()).list();
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
