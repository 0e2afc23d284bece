import type { Command } from "commander";
import { CliError, explainError, Interrupted, UsageError } from "../errors.ts";
import type { ErrorReport } from "../errors.ts";
import { follow, NO_DISPLAY } from "../follow.ts";
import { findVolumeIds } from "../names.ts";
import { renderError } from "../output.ts";
import { faultText } from "../progress.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";

const EXAMPLES = `
Examples:
  $ cinderless delete scratch
  $ cinderless delete 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f --wait
  $ cinderless delete root --purge
  $ cinderless list --status error -f value -c ID | xargs cinderless delete
`;

const PURGE_EXAMPLES = `
Examples:
  $ cinderless purge root
  $ cinderless purge root scratch --yes
`;

/** `delete`: volumes, from their backends and from the records. */
export function registerDelete(program: Command, context: CliContext): void {
  program
    .command("delete")
    .summary("delete volumes")
    .description(
      "Delete volumes and wait until they are gone. Deleting a volume that is being created cancels the create: " +
        "it ends at its next step and removes its data; --wait waits for that, too.",
    )
    .argument("<volumes...>", "ids or names of the volumes")
    .option("--purge", "delete their snapshots first")
    .option("--wait", "wait until volumes that are being created are gone as well")
    .addHelpText("after", EXAMPLES)
    .action(
      inSession(context, async (session, names: string[], options: DeleteOptions) =>
        deleteVolumes(session, await findVolumeIds(session, names), options),
      ),
    );
}

/** `purge`: volumes with their snapshots, after a question. */
export function registerPurge(program: Command, context: CliContext): void {
  program
    .command("purge")
    .summary("delete volumes with their snapshots")
    .description("Delete volumes and all of their snapshots for good. Nothing is deleted without a confirmation.")
    .argument("<volumes...>", "ids or names of the volumes")
    .option("--yes", "delete without asking")
    .addHelpText("after", PURGE_EXAMPLES)
    .action(
      inSession(context, async (session, names: string[], { yes = false }: { yes?: boolean }) => {
        const ids = await findVolumeIds(session, names);
        if (yes || (await isConfirmed(session, ids))) {
          await deleteVolumes(session, ids, { purge: true, wait: true });
        }
      }),
    );
}

async function isConfirmed(session: Session, ids: readonly string[]): Promise<boolean> {
  if (session.confirm === undefined || session.json) {
    throw new UsageError(
      "purge deletes permanently, and there is no terminal to ask for confirmation",
      "add --yes to delete without being asked",
    );
  }
  const snapshots = await session.connection.snapshots();
  const counts = await Promise.all(ids.map(async (id) => (await snapshots.listOfVolume(id)).length));
  const count = counts.reduce((sum, one) => sum + one, 0);
  return session.confirm(`Delete for good: ${counted(ids.length, "volume")} and ${counted(count, "snapshot")}?`);
}

type DeleteOptions = { wait?: boolean; purge?: boolean };

function deleteVolumes(session: Session, ids: readonly string[], { wait, purge }: DeleteOptions): Promise<void> {
  return deleteEach(
    session,
    ids,
    "volume",
    async (id) => {
      await (await session.connection.volumes()).get(id);
      if (purge === true) {
        await deleteSnapshotsOf(session, id);
      }
      return (await session.connection.driverFunctions()).deleteVolume(id);
    },
    wait === true ? (left) => waitUntilGone(session, left) : undefined,
  );
}

async function deleteSnapshotsOf({ connection }: Session, volumeId: string): Promise<void> {
  const functions = await connection.driverFunctions();
  for (const { id } of await (await connection.snapshots()).listOfVolume(volumeId)) {
    await functions.deleteSnapshot(id);
  }
}

/** The result for each object of the command. */
type Outcome = { deleted: string[]; requested: string[]; failed: { id: string; report: ErrorReport }[] };

/**
 * Deletes one after the other, and continues after a failure: each failure is reported, and the command fails at its end. One object gets
 * one line, several get one summary. The document names the deleted, the requested and the failed objects.
 *
 * @param waitFor waits for the `requested` objects, and returns those that are not gone, with the reason
 */
export async function deleteEach(
  session: Session,
  ids: readonly string[],
  what: string,
  deleteOne: (id: string) => Promise<"deleted" | "requested">,
  waitFor?: (ids: readonly string[]) => Promise<Outcome["failed"]>,
): Promise<void> {
  const outcome: Outcome = { deleted: [], requested: [], failed: [] };
  for (const id of new Set(ids)) {
    try {
      outcome[await deleteOne(id)].push(id);
    } catch (error) {
      outcome.failed.push({ id, report: explainError(error) });
    }
  }
  if (waitFor !== undefined && outcome.requested.length > 0) {
    const left = await waitFor(outcome.requested);
    outcome.deleted.push(...outcome.requested.filter((id) => !left.some((failure) => failure.id === id)));
    outcome.failed.push(...left);
    outcome.requested = [];
  }
  const failed = outcome.failed.map(({ id, report: { name, message } }) => ({ id, error: name, message }));
  const { deleted, requested } = outcome;
  await session.answer({ deleted, ...(what === "volume" && { requested }), failed }, () => summaryOf(outcome, what));
  throwFailures(session, outcome.failed, what);
}

function summaryOf({ deleted, requested, failed }: Outcome, what: string): string {
  const all = deleted.length + requested.length + failed.length;
  const [first] = [...deleted, ...requested];
  if (all === 1) {
    return first === undefined
      ? ""
      : deleted.length === 1
        ? `${what} ${first} is deleted\n`
        : `${what} ${first} is being created; the create is cancelled and removes its data\n`;
  }
  const parts = [
    `${deleted.length} of ${counted(all, what)} deleted`,
    ...(requested.length === 0 ? [] : [`${requested.length} will be deleted when their creates have ended`]),
    ...(failed.length === 0 ? [] : [`${failed.length} failed`]),
  ];
  return `${parts.join(", ")}\n`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** Volumes that a backend does not delete are failures; the sweep tries them again. */
async function waitUntilGone(session: Session, volumeIds: readonly string[]): Promise<Outcome["failed"]> {
  const { volumes, interrupted } = await follow(
    session,
    await session.connection.volumes(),
    NO_DISPLAY,
    session.interruption(),
    async () => volumeIds,
    (now) => [...now.values()].every(({ status }) => status === "error_deleting"),
  );
  if (interrupted) {
    throw new Interrupted(`the deletion is recorded; ${[...volumes.keys()].join(", ")} will be gone in time`);
  }
  return [...volumes.values()].map(({ id, fault, deadline }) => {
    const why = fault === null ? "" : `: ${faultText(fault)}`;
    const message = `volume ${id} could not be removed yet${why}; it is tried again after ${deadline ?? "a while"}`;
    return { id, report: explainError(new CliError(message, { name: fault?.error ?? "NotDeleted" })) };
  });
}

function throwFailures(session: Session, failed: readonly { id: string; report: ErrorReport }[], what: string): void {
  const [first, ...others] = failed;
  if (first === undefined) {
    return;
  }
  if (others.length === 0) {
    const { name, message, hint } = first.report;
    throw new CliError(message, { name, ...(hint === null ? {} : { hint }) });
  }
  if (!session.json) {
    for (const { report } of failed) {
      session.stderr.write(renderError(session.stderr, report, false));
    }
  }
  throw new CliError(`${failed.length} ${what}s were not deleted: ${failed.map(({ id }) => id).join(", ")}`, {
    name: "NotDeleted",
  });
}
