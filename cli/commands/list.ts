import { type Command, Option } from "commander";
import type { VolumeFilter } from "../../core/ports.ts";
import { VOLUME_STATUSES, type VolumeRecord } from "../../core/records.ts";
import { text } from "../format.ts";
import { addListOptions, allPages, answerList, type ListOptions } from "../listing.ts";
import { findType } from "../names.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { volumeColumns } from "../volume-columns.ts";

type Options = ListOptions & {
  status?: string;
  host?: string;
  name?: string;
  project?: string;
  type?: string;
  bootable?: boolean;
};

/** Records that one request returns. */
const PAGE_SIZE = 1000;

const EXAMPLES = `
Examples:
  $ cinderless list
  $ cinderless list --status error --limit 20
  $ cinderless list --long --sort Size:desc
  $ cinderless list --host storage@file1 --type fast -f value -c ID
  $ cinderless list --json
`;

/** `list`: all volumes, the newest first. */
export function registerList(program: Command, context: CliContext): void {
  const command = program
    .command("list")
    .summary("list volumes")
    .description("List volumes, newest first: all of them, or those that match every filter that is given.")
    .addOption(new Option("--status <status>", "only volumes of this status").choices(VOLUME_STATUSES))
    .option("--host <host>", "only volumes on this host, as host@backend or host@backend#pool")
    .option("--name <name>", "only volumes of this name")
    .option("--project <id>", "only volumes of this project")
    .option("--type <name|id>", "only volumes of this volume type")
    .option("--bootable", "only bootable volumes")
    .option("--no-bootable", "only volumes that are not bootable");
  addListOptions(
    command,
    volumeColumns(() => undefined),
  )
    .addHelpText("after", EXAMPLES)
    .action(inSession(context, list));
}

async function list(session: Session, options: Options): Promise<void> {
  const { status, host, name, project, bootable } = options;
  const type = options.type === undefined ? undefined : await findType(session, options.type);
  const filter: VolumeFilter = {
    ...(status === undefined ? {} : { status }),
    ...(host === undefined ? {} : { host }),
    ...(name === undefined ? {} : { name }),
    ...(project === undefined ? {} : { projectId: project }),
  };
  const volumes = await session.connection.volumes();
  const found = await allPages(async (from) => {
    const page = await volumes.list(filter, PAGE_SIZE, from);
    // They are on no list, and must not be overlooked.
    for (const { reason } of page.unreadable ?? []) {
      session.stderr.write(`warning: ${text(reason)}\n`);
    }
    return page;
  });
  const rows = found.filter(
    (volume) =>
      (type === undefined || volume.volume_type_id === type.id) &&
      (bootable === undefined || volume.bootable === bootable),
  );
  const columns = volumeColumns(await typeNames(session, rows, options));
  await answerList(
    session,
    { key: "volumes", one: "volume", many: "volumes", rows: newestFirst(rows), columns },
    options,
  );
}

/** Sorted by the time of their creation, then by id, so that the order is always the same. */
export function newestFirst<Row extends { id: string; created_at: string }>(rows: readonly Row[]): Row[] {
  return rows.toSorted((one, other) =>
    one.created_at === other.created_at ? (one.id < other.id ? -1 : 1) : one.created_at < other.created_at ? 1 : -1,
  );
}

/** Names of types by their ids. They are only requested when a column shows them. */
async function typeNames(
  { connection, json }: Session,
  rows: readonly VolumeRecord[],
  { long, column, sort }: ListOptions,
): Promise<(id: string) => string | undefined> {
  const areShown = long === true || column !== undefined || sort !== undefined;
  if (json || !areShown || rows.every(({ volume_type_id: id }) => id === null)) {
    return () => undefined;
  }
  const types = await connection.volumeTypes();
  const names = new Map((await allPages((from) => types.list(PAGE_SIZE, from))).map(({ id, name }) => [id, name]));
  return (id) => names.get(id);
}
