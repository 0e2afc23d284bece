// @ts-nocheck
import type { Command } from "commander";
import { DEFAULT_PROJECT_ID, DEFAULT_USER_ID } from "../../core/create-request.ts";
import { formatTime, text } from "../format.ts";
import { parseLimit, parseName, parseUuid } from "../options.ts";
import { renderTable } from "../output.ts";
import { withSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { paint, styleOfStatus } from "../terminal.ts";
import { deleteEach } from "./delete.ts";
import { moreText } from "./list.ts";

type CreateOptions = { name?: string; project: string; user: string };
type ListOptions = { volume?: string; limit: number; page?: string };

/** `snapshot create|list|delete`. */
export function registerSnapshot(program: Command, context: CliContext): void {
  const snapshot = program
    .command("snapshot")
    .helpCommand(false)
    .summary("create, list and delete snapshots")
    .description("Snapshots of volumes.");
  snapshot
    .command("create")
    .summary("take a snapshot of a volume")
    .description("Take a snapshot of a volume that is available, and wait until it is there.")
    .argument("<volume>", "id of the volume")
    .option("--name <name>", "name to show", parseName)
    .option("--project <id>", "project that owns the snapshot", DEFAULT_PROJECT_ID)
    .option("--user <id>", "user that asks for it", DEFAULT_USER_ID)
    .addHelpText(
      "after",
      "\nExamples:\n  $ cinderless snapshot create 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f --name before-upgrade\n",
    )
    .action((volumeId: string, options: CreateOptions, command: Command) =>
      withSession(context, command, (session) => createSnapshot(session, volumeId, options)),
    );
  snapshot
    .command("list")
    .summary("list snapshots")
    .description("List snapshots, all or those of one volume.")
    .option("--volume <id>", "only snapshots of this volume")
    .option("--limit <count>", "snapshots a page", parseLimit, 50)
    .option("--page <token>", "go on with the page that an earlier listing named")
    .addHelpText("after", "\nExamples:\n  $ cinderless snapshot list\n  $ cinderless snapshot list --json\n")
    .action((options: ListOptions, command: Command) =>
      withSession(context, command, (session) => listSnapshots(session, options)),
    );
  snapshot
    .command("delete")
    .summary("delete snapshots")
    .description("Delete snapshots and wait until they are gone. One that a volume is made of is refused.")
    .argument("<snapshots...>", "ids of the snapshots")
    .addHelpText("after", "\nExamples:\n  $ cinderless snapshot delete 0d6d1f6c-58a5-4a4b-8f0e-0a2ab6ab1c55\n")
    .action((snapshotIds: string[], _options: unknown, command: Command) =>
      withSession(context, command, (session) => deleteSnapshots(session, snapshotIds)),
    );
}

async function createSnapshot(session: Session, volumeId: string, options: CreateOptions): Promise<void> {
  const functions = await session.connection.driverFunctions();
  const snapshot = await functions.createSnapshot({
    volume_id: parseUuid("volume", volumeId),
    snapshot_id: session.newId(),
    name: options.name ?? null,
    project_id: options.project,
    user_id: options.user,
  });
  await session.answer(
    snapshot,
    () => `snapshot ${snapshot.id} of volume ${snapshot.volume_id} is ${snapshot.status}\n`,
  );
}

async function listSnapshots(session: Session, { volume, limit, page }: ListOptions): Promise<void> {
  const snapshots = await session.connection.snapshots();
  const { items, next } =
    volume === undefined
      ? await snapshots.list(limit, page)
      : { items: await snapshots.listOfVolume(parseUuid("volume", volume)), next: undefined };
  await session.answer({ snapshots: items, next: next ?? null }, async () => {
    const rows = items.map((one) => [
      one.id,
      text(one.display_name),
      paint(session.stdout, styleOfStatus(one.status), one.status),
      String(one.volume_size),
      one.volume_id,
      text(one.host),
      formatTime(one.created_at),
    ]);
    const table = rows.length === 0 ? "no snapshots\n" : await renderTable(session.stdout, HEAD, rows, [3]);
    return `${table}${moreText(next)}`;
  });
}

const HEAD = ["ID", "NAME", "STATUS", "GiB", "VOLUME", "HOST", "CREATED"];

async function deleteSnapshots(session: Session, snapshotIds: readonly string[]): Promise<void> {
  const ids = snapshotIds.map((id) => parseUuid("snapshot", id));
  await deleteEach(session, ids, "snapshot", async (id) => {
    await (await session.connection.snapshots()).get(id);
    await (await session.connection.driverFunctions()).deleteSnapshot(id);
    return "deleted";
  });
}
