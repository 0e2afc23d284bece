// @ts-nocheck
import type { Command } from "commander";
import { CliError, explainError, Interrupted } from "../errors.ts";
import type { ErrorReport } from "../errors.ts";
import { follow, NO_DISPLAY } from "../follow.ts";
import { parseUuid } from "../options.ts";
import { renderError } from "../output.ts";
import { faultText } from "../progress.ts";
import { withSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";

const EXAMPLES = `
Examples:
  $ cinderless delete 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f
  $ cinderless delete 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f --wait
  $ cinderless list --status error --json | jq -r '.volumes[].id' | xargs cinderless delete
`;

/** `delete`: volumes, from their backends and from the records. */
export function registerDelete(program: Command, context: CliContext): void {
  program
    .command("delete")
    .summary("delete volumes")
    .description(
      "Delete volumes and wait until they are gone. Of a volume that is being created the wish is recorded: " +
        "its creation ends at its next step and removes what it made; --wait waits for that, too.",
    )
    .argument("<volumes...>", "ids of the volumes")
    .option("--wait", "wait until volumes that are being created are gone as well")
    .addHelpText("after", EXAMPLES)
    .action((volumeIds: string[], options: { wait?: boolean }, command: Command) =>
      withSession(context, command, (session) =>
        deleteEach(
          session,
          volumeIds.map((id) => parseUuid("volume", id)),
          "volume",
          (id) => deleteVolume(session, id),
          options.wait === true ? (ids) => waitUntilGone(session, ids) : undefined,
        ),
      ),
    );
}

async function deleteVolume(session: Session, volumeId: string): Promise<"deleted" | "requested"> {
  await (await session.connection.volumes()).get(volumeId);
  return (await session.connection.driverFunctions()).deleteVolume(volumeId);
}

/** What became of each thing that was to be deleted. */
type Outcome = { deleted: string[]; requested: string[]; failed: { id: string; report: ErrorReport }[] };

/**
 * Deletes one after the other, and goes on after a failure: each failure is reported, and the command fails at its end. The
 * document names what is gone, what is going, and what is not.
 *
 * @param waitFor waits for what was `requested`, and returns those that are not gone, with the reason
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
      say(session, outcome, what, id, waitFor !== undefined);
    } catch (error) {
      outcome.failed.push({ id, report: explainError(error) });
    }
  }
  if (waitFor !== undefined && outcome.requested.length > 0) {
    const left = await waitFor(outcome.requested);
    const gone = outcome.requested.filter((id) => !left.some((failure) => failure.id === id));
    outcome.requested = [];
    outcome.failed.push(...left);
    for (const id of gone) {
      outcome.deleted.push(id);
      say(session, outcome, what, id, true);
    }
  }
  if (session.json) {
    const failed = outcome.failed.map(({ id, report: { name, message } }) => ({ id, error: name, message }));
    const { deleted, requested } = outcome;
    await session.answer({ deleted, ...(what === "volume" && { requested }), failed }, () => "");
  }
  throwFailures(session, outcome.failed, what);
}

function say(session: Session, { deleted }: Outcome, what: string, id: string, waits: boolean): void {
  if (session.json) {
    return;
  }
  if (deleted.includes(id)) {
    session.stdout.write(`${what} ${id} is deleted\n`);
  } else if (!waits) {
    session.stdout.write(
      `${what} ${id} is being created; its deletion is recorded, and its creation ends by removing it\n`,
    );
  }
}

/** Those that a backend does not let go are failures: they are tried again without anybody waiting. */
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
