import type { Command } from "commander";
import { isInFlow } from "../../core/records.ts";
import { CliError, explainError } from "../errors.ts";
import type { ErrorReport } from "../errors.ts";
import { parseUuid } from "../options.ts";
import { renderError } from "../output.ts";
import { withSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";

const EXAMPLES = `
Examples:
  $ cinderless delete 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f
  $ cinderless list --status error --json | jq -r '.volumes[].id' | xargs cinderless delete
`;

/** `delete`: volumes, from their backends and from the records. */
export function registerDelete(program: Command, context: CliContext): void {
  program
    .command("delete")
    .summary("delete volumes")
    .description("Delete volumes and wait until they are gone. A volume that is being created is refused.")
    .argument("<volumes...>", "ids of the volumes")
    .addHelpText("after", EXAMPLES)
    .action((volumeIds: string[], _options: unknown, command: Command) =>
      withSession(context, command, (session) =>
        deleteEach(
          session,
          volumeIds.map((id) => parseUuid("volume", id)),
          "volume",
          (id) => deleteVolume(session, id),
        ),
      ),
    );
}

async function deleteVolume(session: Session, volumeId: string): Promise<void> {
  const volume = await (await session.connection.volumes()).get(volumeId);
  if (isInFlow(volume.status)) {
    throw new CliError(`volume ${volumeId} is ${volume.status}: it can be deleted when it has come to rest`, {
      name: "InvalidVolume",
      hint: `cinderless watch ${volumeId} waits for that`,
    });
  }
  await (await session.connection.driverFunctions()).deleteVolume(volumeId);
}

/**
 * Deletes one after the other, and goes on after a failure: each failure is reported, and the command fails at its end. The
 * document names what is gone and what is not.
 */
export async function deleteEach(
  session: Session,
  ids: readonly string[],
  what: string,
  deleteOne: (id: string) => Promise<void>,
): Promise<void> {
  const deleted: string[] = [];
  const failed: { id: string; report: ErrorReport }[] = [];
  for (const id of new Set(ids)) {
    try {
      await deleteOne(id);
      deleted.push(id);
      if (!session.json) {
        session.stdout.write(`${what} ${id} is deleted\n`);
      }
    } catch (error) {
      failed.push({ id, report: explainError(error) });
    }
  }
  if (session.json) {
    const failures = failed.map(({ id, report: { name, message } }) => ({
      id,
      error: name,
      message,
    }));
    await session.answer({ deleted, failed: failures }, () => "");
  }
  throwFailures(session, failed, what);
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
