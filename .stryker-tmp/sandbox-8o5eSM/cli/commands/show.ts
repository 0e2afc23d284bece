// @ts-nocheck
import type { Command } from "commander";
import { type Attempt, attemptOf, type VolumeRecord } from "../../core/records.ts";
import { formatDuration, formatMap, formatTime, text } from "../format.ts";
import { parseUuid } from "../options.ts";
import { renderFields } from "../output.ts";
import { faultText, readingOf, renderReading, stateOf, volumeDocument } from "../progress.ts";
import { withSession } from "../session.ts";
import type { CliContext } from "../session.ts";
import { paint, styleOfStatus } from "../terminal.ts";
import type { Output } from "../terminal.ts";

const EXAMPLES = `
Examples:
  $ cinderless show 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f
  $ cinderless show 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f --json
`;

/** `show`: one volume's record, with what happened at every attempt. */
export function registerShow(program: Command, context: CliContext): void {
  program
    .command("show")
    .summary("show a volume, its attempts and its fault")
    .description(
      "Show a volume's record: what it is, how far it is, what happened at every attempt, and why it is in error.",
    )
    .argument("<volume>", "id of the volume")
    .addHelpText("after", EXAMPLES)
    .action((volumeId: string, _options: unknown, command: Command) =>
      withSession(context, command, async (session) => {
        const id = parseUuid("volume", volumeId);
        const volume = await (await session.connection.volumes()).get(id);
        const now = session.clock.now();
        await session.answer(volumeDocument(volume, now), () => renderVolume(session.stdout, volume, now));
      }),
    );
}

/** A volume for people: fields, then the ledger of attempts, then the fault. */
export function renderVolume(output: Output, volume: VolumeRecord, now: Date): string {
  const fields: [string, string][] = [
    ["id", volume.id],
    ["name", text(volume.display_name)],
    ["status", paint(output, styleOfStatus(volume.status), stateOf(volume))],
    ["size", `${volume.size} GiB`],
    ["host", text(volume.host)],
    ["zone", text(volume.availability_zone)],
    ["type", text(volume.volume_type_id)],
    ["source", sourceOf(volume)],
    ["bootable", volume.bootable ? "yes" : "no"],
    ["project", `${text(volume.project_id)} (user ${text(volume.user_id)})`],
    ["created", formatTime(volume.created_at)],
    ["launched", formatTime(volume.launched_at)],
  ];
  const optional: [string, string][] = [
    ["description", text(volume.display_description)],
    ["metadata", formatMap(volume.metadata)],
    ["image metadata", formatMap(volume.glance_metadata)],
    ["location", text(volume.provider_location)],
    ["migration", text(volume.migration_status)],
    ["progress", progressOf(volume, now)],
    ["deadline", volume.deadline === null ? "-" : `${formatTime(volume.deadline)} ${untilText(volume.deadline, now)}`],
    ["deletion", volume.delete_requested_at === null ? "-" : `requested ${formatTime(volume.delete_requested_at)}`],
    ["attempts", attemptsText(output, volume, now)],
    [
      "fault",
      volume.fault === null ? "-" : paint(output, "red", `attempt ${volume.fault.attempt}: ${faultText(volume.fault)}`),
    ],
  ];
  return renderFields(output, [...fields, ...optional.filter(([, value]) => value !== "-")]);
}

function sourceOf(volume: VolumeRecord): string {
  if (volume.snapshot_id !== null) {
    return `snapshot ${volume.snapshot_id}`;
  }
  if (volume.source_volid !== null) {
    return `volume ${volume.source_volid}`;
  }
  const imageId = volume.glance_metadata["image_id"];
  return imageId === undefined ? "-" : `image ${text(imageId)}`;
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
  return attempts.length === 0
    ? "-"
    : attempts
        .map(([number, attempt]) => attemptText(output, number, attempt, now) + leftText(output, volume, number))
        .join("\n");
}

/** What the last attempt of a volume in error has left on its backend: the record claims it, and its deletion removes it. */
function leftText(output: Output, volume: VolumeRecord, number: string): string {
  const { status, phase, host } = volume;
  const wasAsked = phase === "creating" || phase === "created" || phase === "copying";
  if (status !== "error" || host === null || !wasAsked || Number(number) !== attemptOf(volume)) {
    return "";
  }
  const holds = phase === "creating" ? "may hold" : "holds";
  return `\n   ${paint(output, "yellow", `the backend ${holds} something of the volume, until the volume is deleted`)}`;
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
      ? `\n   ${paint(output, "yellow", "something of the volume may be left on this backend")}`
      : "";
  return `${head}${why}${orphan}`;
}
