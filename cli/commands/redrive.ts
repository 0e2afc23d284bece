import type { Command } from "commander";
import { validate as isUuid } from "uuid";
import type { DeadLetterRecord } from "../../core/dead-letters/dead-letters.ts";
import type { RedriveResult } from "../../core/dead-letters/redrive-dead-letter.ts";
import { CliError, type ErrorReport, explainError, readTextFile, UsageError } from "../errors.ts";
import { formatTime, text } from "../format.ts";
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
import { renderError, renderFields } from "../output.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { deleteEach } from "./delete.ts";

type RedriveOptions = { all?: boolean; message?: string };

const EXAMPLES = `
Examples:
  $ cinderless redrive list
  $ cinderless redrive show 0d6d1f6c-58a5-4a4b-8f0e-0a2ab6ab1c55
  $ cinderless redrive 0d6d1f6c-58a5-4a4b-8f0e-0a2ab6ab1c55
  $ cinderless redrive --all --json
  $ cinderless redrive show ID --json | jq -r .body > cast.json && vi cast.json
  $ cinderless redrive ID --message cast.json
`;

/** `redrive` sends dead letters again; its subcommands list, show and discard them. */
export function registerRedrive(program: Command, context: CliContext): void {
  const redrive = program
    .command("redrive")
    .helpCommand(false)
    .usage("[options] [ids...] | list | show <id> | discard <ids...>")
    .summary("show dead letters and send them again")
    .description(
      "Send messages again that the scheduler could not process, as new attempts of their volumes. A volume must " +
        "be in error without data on a backend, or be creating without an attempt.",
    )
    .argument("[ids...]", "ids of the dead letters")
    .option("--all", "all dead letters that were not sent again yet")
    .option("--message <file>", "send the message in this file instead of the stored one; for one dead letter")
    .addHelpText("after", EXAMPLES)
    .action(inSession(context, redriveEach));
  addListOptions(
    redrive
      .command("list")
      .summary("list dead letters")
      .description("List the dead letters that are kept, oldest first."),
    COLUMNS,
  )
    .addHelpText("after", "\nExamples:\n  $ cinderless redrive list\n  $ cinderless redrive list --json\n")
    .action(inSession(context, listLetters));
  redrive
    .command("discard")
    .summary("remove dead letters for good")
    .description("Remove dead letters for good, without sending them again. Their volumes stay as they are.")
    .argument("<ids...>", "ids of the dead letters")
    .option("--yes", "remove without asking")
    .addHelpText("after", "\nExamples:\n  $ cinderless redrive discard 0d6d1f6c-58a5-4a4b-8f0e-0a2ab6ab1c55 --yes\n")
    .action(
      inSession(context, (session, ids: string[], { yes = false }: { yes?: boolean }) =>
        discard(session, ids.map(parseId), yes),
      ),
    );
  addRecordOptions(
    redrive
      .command("show")
      .summary("show a dead letter with its message")
      .description("Show a dead letter: the reason and the message. Secrets in it are masked.")
      .argument("<id>", "id of the dead letter"),
  )
    .addHelpText("after", SHOW_EXAMPLES)
    .action(
      inSession(context, async (session, id: string, options: RecordOptions) => {
        const letter = await getLetter(session, parseId(id));
        await answerRecord(session, { row: letter, columns: FIELDS, document: letter }, options, () =>
          renderLetter(session, letter),
        );
      }),
    );
}

const SHOW_EXAMPLES = `
Examples:
  $ cinderless redrive show 0d6d1f6c-58a5-4a4b-8f0e-0a2ab6ab1c55
  $ cinderless redrive show 0d6d1f6c-58a5-4a4b-8f0e-0a2ab6ab1c55 -f value -c Message
`;

const COLUMNS: Column<DeadLetterRecord>[] = [
  { title: "ID", value: ({ id }) => id, isKept: true },
  { title: "Volume", value: ({ volume_id }) => volume_id },
  { title: "Kept", value: ({ kept_at }) => kept_at, text: ({ kept_at }) => formatTime(kept_at) },
  { title: "Sent again", value: ({ redriven_at }) => redriven_at, text: ({ redriven_at }) => formatTime(redriven_at) },
  { title: "Reason", value: ({ reason }) => reason },
];

/** The fields of `show`: those of the list, and more. */
const FIELDS: Column<DeadLetterRecord>[] = [
  ...COLUMNS,
  { title: "Received", value: ({ received_count }) => received_count },
  { title: "Sent", value: ({ sent_at }) => sent_at, text: ({ sent_at }) => formatTime(sent_at) },
  { title: "Expires", value: expiryOf, text: (letter) => formatTime(expiryOf(letter)) },
  { title: "Attempt", value: ({ redrive_fence }) => redrive_fence },
  { title: "Message", value: ({ body }) => body },
];

function expiryOf({ expires_at: seconds }: DeadLetterRecord): string {
  return new Date(seconds * 1000).toISOString();
}

async function discard(session: Session, ids: readonly string[], isSure: boolean): Promise<void> {
  if (!isSure && (session.confirm === undefined || session.json)) {
    throw new UsageError(
      "discard removes permanently, and there is no terminal to ask for confirmation",
      "add --yes to remove without being asked",
    );
  }
  if (isSure || (await session.confirm?.(`Remove ${ids.length} dead letter(s) for good?`)) === true) {
    await deleteEach(session, ids, "dead letter", async (id) => {
      await getLetter(session, id);
      await (await session.connection.deadLetters()).discard(id);
      return "deleted";
    });
  }
}

function parseId(id: string): string {
  if (!isUuid(id)) {
    throw new UsageError(
      `the id of a dead letter must be a UUID, not '${id}'`,
      "`cinderless redrive list` shows the ids",
    );
  }
  return id.toLowerCase();
}

async function listLetters(session: Session, options: ListOptions): Promise<void> {
  const repository = await session.connection.deadLetters();
  const rows = oldestFirst(await allPages((from) => repository.list(PAGE_SIZE, from)));
  const listing = { key: "dead_letters", one: "dead letter", many: "dead letters", rows, columns: COLUMNS };
  await answerList(session, listing, options);
}

function oldestFirst(letters: readonly DeadLetterRecord[]): DeadLetterRecord[] {
  return letters.toSorted((one, other) => (one.kept_at < other.kept_at ? -1 : 1));
}

/** @throws CliError `DeadLetterNotFound` */
export async function getLetter(session: Pick<Session, "connection">, id: string): Promise<DeadLetterRecord> {
  const letter = await (await session.connection.deadLetters()).get(id);
  if (letter === undefined) {
    throw new CliError(`dead letter ${id} could not be found`, {
      name: "DeadLetterNotFound",
      hint: "`cinderless redrive list` shows the dead letters",
    });
  }
  return letter;
}

function renderLetter(session: Session, letter: DeadLetterRecord): string {
  return renderFields(session.stdout, [
    ["id", letter.id],
    ["volume", text(letter.volume_id)],
    ["reason", text(letter.reason)],
    ["received", letter.received_count === 1 ? "once" : `${letter.received_count} times`],
    ["sent", formatTime(letter.sent_at)],
    ["kept", formatTime(letter.kept_at)],
    ["expires", formatTime(expiryOf(letter))],
    ["sent again", formatTime(letter.redriven_at)],
    ["attempt", text(letter.redrive_fence)],
    ["message", text(letter.body)],
  ]);
}

type Redriven = { id: string; volume_id: string; attempt: number };
type Refused = { id: string; volumeId: string | null; report: ErrorReport };

/** One after the other. Continues after a refusal: each is reported, and the command fails at its end. */
async function redriveEach(session: Session, ids: readonly string[], options: RedriveOptions): Promise<void> {
  const letters = await lettersOf(session, ids.map(parseId), options);
  const body = options.message === undefined ? undefined : await readTextFile(options.message);
  const redriven: Redriven[] = [];
  const refused: Refused[] = [];
  for (const letter of letters) {
    try {
      const { volumeId, attempt } = await redrive(session, letter, body);
      redriven.push({ id: letter.id, volume_id: volumeId, attempt });
      if (!session.json) {
        session.stdout.write(`dead letter ${letter.id} is sent again: volume ${volumeId}, attempt ${attempt}\n`);
      }
    } catch (error) {
      refused.push({ id: letter.id, volumeId: letter.volume_id, report: explainError(error) });
    }
  }
  await report(session, redriven, refused);
}

/** Sends a dead letter again. @throws Error with the reason of a refusal */
export async function redrive(
  { connection, clock }: Pick<Session, "connection" | "clock">,
  letter: DeadLetterRecord,
  body?: string,
): Promise<RedriveResult> {
  const { redriveDeadLetter } = await import("../../core/dead-letters/redrive-dead-letter.ts");
  const deps = {
    deadLetters: await connection.deadLetters(),
    volumes: await connection.volumes(),
    backends: await connection.backends(),
    queue: await connection.schedulerQueue(),
    clock,
  };
  return redriveDeadLetter(deps, letter, body);
}

async function lettersOf(
  session: Session,
  ids: readonly string[],
  options: RedriveOptions,
): Promise<DeadLetterRecord[]> {
  const all = options.all === true;
  if (all === ids.length > 0) {
    throw new UsageError("name the dead letters by their ids, or use --all", "see cinderless redrive --help");
  }
  if (options.message !== undefined && ids.length !== 1) {
    throw new UsageError("--message is for one dead letter, named by its id");
  }
  if (!all) {
    const letters: DeadLetterRecord[] = [];
    for (const id of new Set(ids)) {
      letters.push(await getLetter(session, id));
    }
    return letters;
  }
  const repository = await session.connection.deadLetters();
  const kept = await allPages((from) => repository.list(PAGE_SIZE, from));
  return oldestFirst(kept.filter(({ redriven_at: redrivenAt }) => redrivenAt === null));
}

const PAGE_SIZE = 100;

async function report(session: Session, redriven: readonly Redriven[], refused: readonly Refused[]): Promise<void> {
  if (session.json) {
    const failures = refused.map(({ id, volumeId, report: { name, message } }) => ({
      id,
      volume_id: volumeId,
      error: name,
      message,
    }));
    await session.answer({ redriven, refused: failures }, () => "");
  } else if (redriven.length + refused.length === 0) {
    session.stdout.write("no dead letters to send again\n");
  }
  const [first, ...others] = refused;
  if (first === undefined) {
    return;
  }
  if (others.length === 0) {
    const { name, message, hint } = first.report;
    throw new CliError(`dead letter ${first.id} was not sent again: ${message}`, { name, hint: hint ?? hintOf(first) });
  }
  if (!session.json) {
    for (const { id, report: one } of refused) {
      const line = { ...one, message: `dead letter ${id}: ${one.message}` };
      session.stderr.write(renderError(session.stderr, line, false));
    }
  }
  throw new CliError(`${refused.length} dead letters were not sent again: ${refused.map(({ id }) => id).join(", ")}`, {
    name: "NotRedriven",
  });
}

function hintOf({ id, volumeId, report: { name } }: Refused): string {
  return name === "InvalidInput"
    ? `redrive ${id} --message FILE sends a corrected message`
    : `cinderless show ${volumeId ?? "VOLUME"} shows the volume's state`;
}
