import type { Command } from "commander";
import { DEFAULT_PROJECT_ID, DEFAULT_USER_ID } from "../../core/requests/create-request.ts";
import { positionOfSnapshot } from "../../core/projects.ts";
import type { SnapshotRecord } from "../../core/records.ts";
import { formatMap, formatTime, text } from "../format.ts";
import {
  addListOptions,
  addRecordOptions,
  allPages,
  answerList,
  answerRecord,
  type Column,
  type ListOptions,
  type RecordOptions,
} from "../listing.ts";
import { findSnapshot, findSnapshotIds, findVolume } from "../names.ts";
import { parseName } from "../options.ts";
import { renderFields } from "../output.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { paint, styleOfStatus } from "../terminal.ts";
import { deleteEach } from "./delete.ts";
import { newestFirst } from "./list.ts";

type CreateOptions = RecordOptions & { name?: string; project?: string; user?: string };
type SnapshotListOptions = ListOptions & { volume?: string; status?: string; name?: string; project?: string };

const PAGE_SIZE = 1000;

const COLUMNS: Column<SnapshotRecord>[] = [
  { title: "ID", value: ({ id }) => id, isKept: true },
  { title: "Name", value: ({ display_name }) => display_name },
  { title: "Status", value: ({ status }) => status, style: ({ status }) => styleOfStatus(status) },
  { title: "Size", value: ({ volume_size }) => volume_size, isRightAligned: true },
  { title: "Volume", value: ({ volume_id }) => volume_id },
  { title: "Host", value: ({ host }) => host, isLong: true },
  { title: "Project", value: ({ project_id }) => project_id, isLong: true },
  {
    title: "Created",
    value: ({ created_at }) => created_at,
    text: ({ created_at }) => formatTime(created_at),
    isLong: true,
  },
];

/** `snapshot create|list|show|set|delete`. */
export function registerSnapshot(program: Command, context: CliContext): void {
  const snapshot = program
    .command("snapshot")
    .helpCommand(false)
    .summary("create, list, show, rename and delete snapshots")
    .description("Snapshots of volumes.");
  registerCreate(snapshot, context);
  registerList(snapshot, context);
  addRecordOptions(
    snapshot
      .command("show")
      .summary("show a snapshot")
      .description("Show a snapshot's record.")
      .argument("<snapshot>", "id or name of the snapshot"),
  )
    .addHelpText("after", "\nExamples:\n  $ cinderless snapshot show before-upgrade\n")
    .action(inSession(context, showSnapshot));
  snapshot
    .command("set")
    .summary("rename a snapshot")
    .description("Give a snapshot another name.")
    .argument("<snapshot>", "id or name of the snapshot")
    .requiredOption("--name <name>", "new name", parseName)
    .addHelpText("after", "\nExamples:\n  $ cinderless snapshot set before-upgrade --name kept\n")
    .action(
      inSession(context, async (session, nameOrId: string, { name }: { name: string }) => {
        const snapshot = await findSnapshot(session, nameOrId);
        const { id } = snapshot;
        // First the entry in the project's list, as with volumes.
        await (await session.connection.projects()).rename(positionOfSnapshot(snapshot), name);
        const renamed = await (await session.connection.snapshots()).rename(id, name);
        await session.answer(renamed, () => `snapshot ${id} is named ${text(name)}\n`);
      }),
    );
  snapshot
    .command("delete")
    .summary("delete snapshots")
    .description("Delete snapshots and wait until they are gone. The source of a create in progress is refused.")
    .argument("<snapshots...>", "ids or names of the snapshots")
    .addHelpText("after", "\nExamples:\n  $ cinderless snapshot delete before-upgrade\n")
    .action(
      inSession(context, async (session, names: string[]) => {
        await deleteEach(session, await findSnapshotIds(session, names), "snapshot", async (id) => {
          await (await session.connection.snapshots()).get(id);
          await (await session.connection.driverFunctions()).deleteSnapshot(id);
          return "deleted";
        });
      }),
    );
}

function registerCreate(snapshot: Command, context: CliContext): void {
  const command = snapshot
    .command("create")
    .summary("take a snapshot of a volume")
    .description("Take a snapshot of an available volume, and wait until it exists.")
    .argument("<volume>", "id or name of the volume")
    .option("--name <name>", "name to show", parseName)
    .option("--project <id>", `project that owns the snapshot (default: the profile's, else ${DEFAULT_PROJECT_ID})`)
    .option("--user <id>", `user that asks for it (default: the profile's, else ${DEFAULT_USER_ID})`);
  addRecordOptions(command)
    .addHelpText("after", "\nExamples:\n  $ cinderless snapshot create root --name before-upgrade\n")
    .action(inSession(context, createSnapshot));
}

function registerList(snapshot: Command, context: CliContext): void {
  const command = snapshot
    .command("list")
    .summary("list snapshots")
    .description("List snapshots, newest first: all of them, or those that match every filter that is given.")
    .option("--volume <id|name>", "only snapshots of this volume")
    .option("--status <status>", "only snapshots of this status")
    .option("--name <name>", "only snapshots of this name")
    .option("--project <id>", "only snapshots of this project");
  addListOptions(command, COLUMNS)
    .addHelpText(
      "after",
      "\nExamples:\n  $ cinderless snapshot list\n  $ cinderless snapshot list --volume root --json\n",
    )
    .action(inSession(context, listSnapshots));
}

async function createSnapshot(session: Session, nameOrId: string, options: CreateOptions): Promise<void> {
  const { id } = await findVolume(session, nameOrId);
  const functions = await session.connection.driverFunctions();
  const snapshot = await functions.createSnapshot({
    volume_id: id,
    snapshot_id: session.newId(),
    name: options.name ?? null,
    project_id: options.project ?? session.defaults.project ?? DEFAULT_PROJECT_ID,
    user_id: options.user ?? session.defaults.user ?? DEFAULT_USER_ID,
  });
  await answerRecord(
    session,
    { row: snapshot, columns: COLUMNS, document: snapshot },
    options,
    () => `snapshot ${snapshot.id} of volume ${snapshot.volume_id} is ${snapshot.status}\n`,
  );
}

async function listSnapshots(session: Session, options: SnapshotListOptions): Promise<void> {
  const { volume, status, name, project } = options;
  const snapshots = await session.connection.snapshots();
  const found =
    volume === undefined
      ? await allPages((from) => snapshots.list(PAGE_SIZE, from))
      : await snapshots.listOfVolume((await findVolume(session, volume)).id);
  const rows = found.filter(
    (one) =>
      (status ?? one.status) === one.status &&
      (name ?? one.display_name) === one.display_name &&
      (project ?? one.project_id) === one.project_id,
  );
  const listing = { key: "snapshots", one: "snapshot", many: "snapshots", rows: newestFirst(rows), columns: COLUMNS };
  await answerList(session, listing, options);
}

/** The most copies in progress that are named. */
const MOST_COPIES = 100;

async function showSnapshot(session: Session, nameOrId: string, options: RecordOptions): Promise<void> {
  const snapshot = await findSnapshot(session, nameOrId);
  const locks = await session.connection.locks();
  const { items: copies } = await locks.of({ what: "snapshot", id: snapshot.id }, true, MOST_COPIES);
  await answerRecord(session, { row: snapshot, columns: COLUMNS, document: snapshot }, options, () =>
    renderFields(session.stdout, [
      ["id", snapshot.id],
      ["name", text(snapshot.display_name)],
      ["status", paint(session.stdout, styleOfStatus(snapshot.status), text(snapshot.status))],
      ["volume", text(snapshot.volume_id)],
      ["size", `${snapshot.volume_size} GiB`],
      ["host", text(snapshot.host)],
      ["location", text(snapshot.provider_location)],
      ["project", `${text(snapshot.project_id)} (user ${text(snapshot.user_id)})`],
      ["created", formatTime(snapshot.created_at)],
      ["image properties", formatMap(snapshot.glance_metadata)],
      ["copied to", text([...new Set(copies.map(({ holder }) => holder))].join(", "))],
    ]),
  );
}
