import { type Command, Option } from "commander";
import type { Unreadable, VolumeFilter } from "../../core/ports.ts";
import { attemptOf, VOLUME_STATUSES } from "../../core/records.ts";
import { formatTime, text } from "../format.ts";
import { parseLimit } from "../options.ts";
import { renderTable } from "../output.ts";
import { stateOf } from "../progress.ts";
import { withSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { paint, styleOfStatus } from "../terminal.ts";

type ListOptions = {
  status?: string;
  host?: string;
  name?: string;
  project?: string;
  limit: number;
  page?: string;
};

const EXAMPLES = `
Examples:
  $ cinderless list
  $ cinderless list --status error --limit 20
  $ cinderless list --host storage@file1 --json
`;

/** `list`: the volumes, page by page. */
export function registerList(program: Command, context: CliContext): void {
  program
    .command("list")
    .summary("list volumes")
    .description("List volumes, all or those that match every filter that is given.")
    .addOption(new Option("--status <status>", "only volumes of this status").choices(VOLUME_STATUSES))
    .option("--host <host>", "only volumes on this host, as host@backend or host@backend#pool")
    .option("--name <name>", "only volumes of this name")
    .option("--project <id>", "only volumes of this project")
    .option("--limit <count>", "volumes a page", parseLimit, 50)
    .option("--page <token>", "go on with the page that an earlier listing named")
    .addHelpText("after", EXAMPLES)
    .action((options: ListOptions, command: Command) =>
      withSession(context, command, (session) => list(session, options)),
    );
}

async function list(session: Session, options: ListOptions): Promise<void> {
  const { status, host, name, project, limit, page } = options;
  const filter: VolumeFilter = {
    ...(status === undefined ? {} : { status }),
    ...(host === undefined ? {} : { host }),
    ...(name === undefined ? {} : { name }),
    ...(project === undefined ? {} : { projectId: project }),
  };
  const volumes = await session.connection.volumes();
  const { items, next, unreadable = [] } = await volumes.list(filter, limit, page);
  const document = { volumes: items, next: next ?? null, ...(unreadable.length > 0 && { unreadable }) };
  await session.answer(document, async () => {
    const rows = items.map((volume) => [
      volume.id,
      text(volume.display_name),
      paint(session.stdout, styleOfStatus(volume.status), stateOf(volume)),
      String(volume.size),
      text(volume.host),
      String(attemptOf(volume)),
      formatTime(volume.created_at),
    ]);
    const table = rows.length === 0 ? "no volumes\n" : await renderTable(session.stdout, HEAD, rows, [3, 5]);
    return `${table}${unreadableText(session, unreadable)}${moreText(next)}`;
  });
}

const HEAD = ["ID", "NAME", "STATUS", "GiB", "HOST", "ATTEMPTS", "CREATED"];

/** A line for each record that is there and cannot be read. */
function unreadableText({ stdout }: Session, unreadable: readonly Unreadable[]): string {
  return unreadable.map(({ reason }) => `${paint(stdout, "red", "unreadable:")} ${text(reason)}\n`).join("");
}

/** How to get the next page, if there is one. */
export function moreText(next: string | undefined): string {
  return next === undefined ? "" : `there is more: --page ${next}\n`;
}
