import type { Command } from "commander";
import { attach, attachmentsOf, changeAttachments, detach } from "../../core/volumes/attachments.ts";
import { attachmentPosition } from "../../core/projects.ts";
import type { VolumeAttachment, VolumeRecord } from "../../core/records.ts";
import { CliError } from "../errors.ts";
import { addRecordOptions, answerRecord, type RecordOptions } from "../listing.ts";
import { findVolume } from "../names.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { volumeColumns } from "../volume-columns.ts";

const ATTACH_EXAMPLES = `
Examples:
  $ cinderless attach root --host compute-1
  $ cinderless attach data --host compute-1 --device /dev/vdb --read-only
`;

const DETACH_EXAMPLES = `
Examples:
  $ cinderless detach root
  $ cinderless detach data --host compute-1
`;

type AttachOptions = RecordOptions & { host: string; device?: string; readOnly?: boolean };

/** `attach`: records that a host uses a volume. */
export function registerAttach(program: Command, context: CliContext): void {
  const command = program
    .command("attach")
    .summary("record that a host uses a volume")
    .description(
      "Record that a host uses an available volume. Until it is detached the volume is in-use: it is not deleted, and not attached " +
        "elsewhere. `cinderless connection` says how the host reaches it.",
    )
    .argument("<volume>", "id or name of the volume")
    .requiredOption("--host <name>", "name of the host")
    .option("--device <path>", "name of the device on the host")
    .option("--read-only", "attach it for reading only");
  addRecordOptions(command).addHelpText("after", ATTACH_EXAMPLES).action(inSession(context, attachVolume));
}

async function attachVolume(session: Session, nameOrId: string, options: AttachOptions): Promise<void> {
  const { host, device = "na", readOnly = false } = options;
  const volume = await findVolume(session, nameOrId);
  const attachmentId = session.newId();
  const at = session.clock.now();
  const mode = readOnly ? "ro" : "rw";
  const request = { attachmentId, instanceUuid: null, hostName: host, mountpoint: device, mode, at };
  // Refused before anything is written.
  attach(request)(volume);
  const [volumes, projects] = await Promise.all([session.connection.volumes(), session.connection.projects()]);
  await projects.enter({ ...attachmentPosition(attachmentId, at.toISOString()), name: volume.id });
  const attached = await changeAttachments(volumes, volume, attach(request));
  await answer(session, attached, options, `volume ${volume.id} is attached to ${host}\n`);
}

type DetachOptions = RecordOptions & { host?: string };

/** `detach`: records that a host uses a volume no more. */
export function registerDetach(program: Command, context: CliContext): void {
  const command = program
    .command("detach")
    .summary("record that a host no longer uses a volume")
    .description("Record that a host no longer uses a volume. Stop whatever uses it first: nothing looks for that.")
    .argument("<volume>", "id or name of the volume")
    .option("--host <name>", "name of the host, where the volume has several attachments");
  addRecordOptions(command).addHelpText("after", DETACH_EXAMPLES).action(inSession(context, detachVolume));
}

async function detachVolume(session: Session, nameOrId: string, options: DetachOptions): Promise<void> {
  const volume = await findVolume(session, nameOrId);
  const [id, attachment] = attachmentOf(volume, options.host);
  const [volumes, projects] = await Promise.all([session.connection.volumes(), session.connection.projects()]);
  const detached = await changeAttachments(volumes, volume, detach(id));
  await projects.leave(attachmentPosition(id, attachment.created_at));
  await answer(session, detached, options, `volume ${volume.id} is ${detached.status}\n`);
}

/** The only attachment, or that of a host. @throws CliError when there is none, or several */
function attachmentOf(volume: VolumeRecord, host: string | undefined): [string, VolumeAttachment] {
  const all = Object.entries(attachmentsOf(volume));
  const found = all.filter(([, { attached_host: each }]) => host === undefined || each === host);
  const [first, ...others] = found;
  if (first === undefined) {
    throw new CliError(
      `volume ${volume.id} is ${volume.status} and ${host === undefined ? "not attached" : `not attached to ${host}`}`,
    );
  }
  if (others.length > 0) {
    const hosts = all.map(([, { attached_host: each }]) => each ?? "no host").join(", ");
    throw new CliError(`volume ${volume.id} has ${all.length} attachments`, { hint: `name one with --host: ${hosts}` });
  }
  return first;
}

function answer(session: Session, volume: VolumeRecord, options: RecordOptions, text: string): Promise<void> {
  const columns = volumeColumns(() => undefined);
  return answerRecord(session, { row: volume, columns, document: volume }, options, () => text);
}
