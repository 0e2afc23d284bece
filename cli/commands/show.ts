import { droppedText } from "../../core/fault.ts";
import type { Command } from "commander";
import { ifThere } from "../../core/if-there.ts";
import { attemptOf, type Attempt, type VolumeRecord } from "../../core/records.ts";
import { isInFlow } from "../../core/volume-lifecycle.ts";
import { formatDuration, formatMap, formatTime, text } from "../format.ts";
import { addRecordOptions, answerRecord, type Column, type RecordOptions } from "../listing.ts";
import { findVolume } from "../names.ts";
import { renderFields } from "../output.ts";
import { faultText, readingOf, renderReading, stateOf, volumeDocument } from "../progress.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { paint, styleOfStatus } from "../terminal.ts";
import type { Output } from "../terminal.ts";
import { sourceOf, volumeColumns } from "../volume-columns.ts";

const EXAMPLES = `
Examples:
  $ cinderless show root
  $ cinderless show 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f --json
  $ cinderless show root -f value -c Status
`;

/** Objects that a volume's record names by ids, and objects that name the volume. */
export type Surroundings = {
  typeName: string | null;
  snapshots: readonly { id: string; name: string | null; status: string }[];
  /** Volumes that are being created from it. */
  volumes: readonly { id: string; name: string | null; status: string }[];
};

/** `show`: one volume's record, with the outcome of every attempt. */
export function registerShow(program: Command, context: CliContext): void {
  const command = program
    .command("show")
    .summary("show a volume, its attempts and its fault")
    .description(
      "Show a volume's record: its fields, its progress, its dependents, every attempt, and the fault if it is in error.",
    )
    .argument("<volume>", "id or name of the volume");
  addRecordOptions(command).addHelpText("after", EXAMPLES).action(inSession(context, show));
}

async function show(session: Session, nameOrId: string, options: RecordOptions): Promise<void> {
  const volume = await findVolume(session, nameOrId);
  const around = await surroundingsOf(session, volume);
  const now = session.clock.now();
  const document = {
    ...volumeDocument(volume, now),
    volume_type: around.typeName,
    source: sourceOf(volume),
    dependents: { snapshots: around.snapshots, volumes: around.volumes },
  };
  const columns: Column<VolumeRecord>[] = [
    ...volumeColumns(() => around.typeName ?? undefined),
    { title: "Phase", value: ({ phase }) => phase },
    { title: "Zone", value: ({ availability_zone }) => availability_zone },
    { title: "User", value: ({ user_id }) => user_id },
    { title: "Launched", value: ({ launched_at }) => launched_at },
    { title: "Location", value: ({ provider_location }) => provider_location },
    { title: "Dependents", value: () => document.dependents },
  ];
  await answerRecord(session, { row: volume, columns, document }, options, () =>
    renderVolume(session.stdout, volume, now, around),
  );
}

/** The most copies in progress that are named. */
const MOST_COPIES = 100;

/**
 * A deleted type has no name any more. A finished copy depends on nothing; a copy in progress is named by its lock, which may outlast it.
 */
export async function surroundingsOf(
  { connection }: Pick<Session, "connection">,
  volume: VolumeRecord,
): Promise<Surroundings> {
  const { id, volume_type_id: typeId } = volume;
  const [typeName, snapshots, copies] = await Promise.all([
    typeId === null ? null : typeNameOf(connection, typeId),
    connection.snapshots().then((repository) => repository.listOfVolume(id)),
    copiesOf(connection, id),
  ]);
  const brief = (one: { id: string; display_name: string | null; status: string }) => {
    return { id: one.id, name: one.display_name, status: one.status };
  };
  return {
    typeName,
    snapshots: snapshots.map(brief),
    volumes: copies.filter((copy) => isInFlow(copy)).map(brief),
  };
}

async function copiesOf(connection: Session["connection"], id: string): Promise<VolumeRecord[]> {
  const { items } = await (await connection.locks()).of({ what: "volume", id }, true, MOST_COPIES);
  const makers = [...new Set(items.map(({ holder }) => holder))];
  return makers.length === 0 ? [] : [...(await (await connection.volumes()).getMany(makers)).values()];
}

async function typeNameOf(connection: Session["connection"], typeId: string): Promise<string | null> {
  return (await ifThere((await connection.volumeTypes()).get(typeId)))?.name ?? null;
}

/** A volume for people: fields, then the ledger of attempts, then the fault. */
function renderVolume(output: Output, volume: VolumeRecord, now: Date, around: Surroundings): string {
  const fields: [string, string][] = [
    ["id", text(volume.id)],
    ["name", text(volume.display_name)],
    ["status", paint(output, styleOfStatus(volume.status), text(stateOf(volume)))],
    ["size", `${volume.size} GiB`],
    ["host", text(volume.host)],
    ["zone", text(volume.availability_zone)],
    ["type", typeText(volume, around)],
    ["source", text(sourceOf(volume))],
    ["bootable", volume.bootable ? "yes" : "no"],
    ["project", `${text(volume.project_id)} (user ${text(volume.user_id)})`],
    ["created", formatTime(volume.created_at)],
    ["launched", formatTime(volume.launched_at)],
  ];
  const optional: [string, string][] = [
    ["description", text(volume.display_description)],
    ["properties", formatMap(volume.metadata)],
    ["image properties", formatMap(volume.glance_metadata)],
    ["location", text(volume.provider_location)],
    ["migration", text(volume.migration_status)],
    ["progress", progressOf(volume, now)],
    ["deadline", volume.deadline === null ? "-" : `${formatTime(volume.deadline)} ${untilText(volume.deadline, now)}`],
    ["deletion", volume.delete_requested_at === null ? "-" : `requested ${formatTime(volume.delete_requested_at)}`],
    ["dropped", volume.dropped?.columns === undefined ? "-" : droppedColumnsText(volume.dropped.columns)],
    ["extension", extensionText(volume)],
    ["snapshots", dependentsText(around.snapshots)],
    ["copied to", dependentsText(around.volumes)],
    ["attempts", attemptsText(output, volume, now)],
    [
      "fault",
      volume.fault === null ? "-" : paint(output, "red", `attempt ${volume.fault.attempt}: ${faultText(volume.fault)}`),
    ],
  ];
  return renderFields(output, [...fields, ...optional.filter(([, value]) => value !== "-")]);
}

function typeText({ volume_type_id: id }: VolumeRecord, { typeName }: Surroundings): string {
  return id === null || typeName === null ? text(id) : `${text(typeName)} (${text(id)})`;
}

function dependentsText(dependents: Surroundings["volumes"]): string {
  return dependents.length === 0
    ? "-"
    : dependents.map(({ id, name, status }) => `${text(id)}  ${text(name)}  ${text(status)}`).join("\n");
}

/** The columns that a full record dropped so that its end could be written. */
function droppedColumnsText(columns: readonly string[]): string {
  return text(`the record was too large for DynamoDB and has dropped ${columns.join(", ")}`);
}

function extensionText({ extension }: VolumeRecord): string {
  if (extension === undefined || extension.outcome === "extended") {
    return "-";
  }
  const why = extension.error === undefined ? "under way" : text(`${extension.error}: ${extension.cause ?? ""}`);
  return `to ${extension.size} GiB: ${why}`;
}

function progressOf(volume: VolumeRecord, now: Date): string {
  const reading = readingOf(volume, now);
  return reading === undefined
    ? "-"
    : `${renderReading(reading).trimStart()}  (${formatTime(volume.progress?.updated_at)})`;
}

function untilText(deadline: string, now: Date): string {
  const left = Date.parse(deadline) - now.getTime();
  return left >= 0 ? `(in ${formatDuration(left)})` : `(${formatDuration(-left)} ago)`;
}

function attemptsText(output: Output, volume: VolumeRecord, now: Date): string {
  const attempts = Object.entries(volume.attempts).toSorted(([one], [other]) => Number(one) - Number(other));
  const dropped = volume.dropped?.attempts ?? 0;
  const lines = attempts.map(
    ([number, attempt]) => attemptText(output, number, attempt, now) + leftText(output, volume, number),
  );
  return lines.length === 0 ? "-" : [...lines, ...(dropped === 0 ? [] : [`(${droppedText(dropped)})`])].join("\n");
}

/** The data that the last attempt of a volume in error left on its backend: the record claims it, and the volume's deletion removes it. */
function leftText(output: Output, volume: VolumeRecord, number: string): string {
  const { status, phase, host } = volume;
  const wasAsked = phase === "creating" || phase === "created" || phase === "copying";
  if (status !== "error" || host === null || !wasAsked || Number(number) !== attemptOf(volume)) {
    return "";
  }
  const holds = phase === "creating" ? "may hold" : "holds";
  return `\n   ${paint(output, "yellow", `the backend ${holds} data of the volume until the volume is deleted`)}`;
}

function attemptText(output: Output, number: string, attempt: Attempt, now: Date): string {
  const ended = attempt.ended_at === undefined ? now : new Date(attempt.ended_at);
  const spent = formatDuration(ended.getTime() - Date.parse(attempt.started_at));
  const outcome = paint(
    output,
    attempt.outcome === "error" || attempt.outcome === "rescheduled" ? "red" : "green",
    attempt.outcome,
  );
  const head = `${number}  ${text(attempt.host)}  ${outcome}  ${attempt.outcome === "running" ? "for" : "after"} ${spent}`;
  const why = attempt.error === undefined ? "" : `\n   ${text(`${attempt.error}: ${attempt.cause ?? ""}`)}`;
  const orphan =
    attempt.suspected_orphan === true
      ? `\n   ${paint(output, "yellow", "data of the volume may remain on this backend")}`
      : "";
  return `${head}${why}${orphan}`;
}
