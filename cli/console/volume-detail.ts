import type { VolumeRecord } from "../../core/records.ts";
import { isBeingRemoved } from "../../core/volume-lifecycle.ts";
import { connectionOf, DEFAULT_MOUNT } from "../commands/connection.ts";
import { surroundingsOf } from "../commands/show.ts";
import type { Session } from "../session.ts";
import { sourceOf } from "../volume-columns.ts";
import { allLetters } from "./actions.ts";
import { type ErrorPage, meaningOf } from "./error-meanings.ts";
import { copyOf } from "./volume-rows.ts";
import type { ConnectionAnswer, VolumeAnswer } from "./wire.ts";

/** One volume with what belongs to it. @throws VolumeNotFound */
export async function volumeAnswer(
  session: Pick<Session, "connection" | "clock">,
  errors: ErrorPage,
  volumeId: string,
): Promise<VolumeAnswer> {
  const volume = await (await session.connection.volumes()).get(volumeId);
  const around = await surroundingsOf(session, volume);
  const now = session.clock.now();
  return {
    volume,
    copy: copyOf(volume, now),
    volume_type: around.typeName,
    source: sourceOf(volume),
    snapshots: around.snapshots,
    copies: around.volumes,
    error: volume.fault === null ? null : meaningOf(errors, volume.fault.error),
    commands: commandsOf(volume),
    may_retry: volume.status === "error" && volume.request !== undefined,
    may_delete: !isBeingRemoved(volume),
    reset_to: resetTargetOf(volume),
    may_connect: volume.host !== null && volume.launched_at !== null,
    letter: volume.status === "error" ? await letterOf(session, volumeId) : null,
    now: now.toISOString(),
  };
}

/** The dead letter of a volume that was not sent again yet. Letters are few: the page of dead letters reads them all as well. */
async function letterOf(session: Pick<Session, "connection">, volumeId: string): Promise<string | null> {
  const letters = await allLetters(session);
  const own = letters.find((letter) => letter.volume_id === volumeId && letter.redriven_at === null);
  return own?.id ?? null;
}

function commandsOf({ id }: VolumeRecord): VolumeAnswer["commands"] {
  return [
    { title: "Show it in a shell", command: `npx cinderless show ${id}` },
    { title: "Follow it in a shell", command: `npx cinderless watch ${id}` },
  ];
}

/** The commands by which a host uses the volume. @throws CliError when no host can reach it */
export async function connectionAnswer(
  session: Pick<Session, "connection">,
  volumeId: string,
): Promise<ConnectionAnswer> {
  const volume = await (await session.connection.volumes()).get(volumeId);
  const { mount, path, qemu } = await connectionOf(session, volume, DEFAULT_MOUNT);
  return {
    path,
    commands: [
      ...(mount === null ? [] : [{ title: "Mount its file system on the host", command: mount }]),
      { title: "Boot a virtual machine from it", command: qemu },
    ],
  };
}

/** The status that an operator would set by hand: none while the volume is being removed. */
function resetTargetOf(volume: VolumeRecord): VolumeAnswer["reset_to"] {
  if (isBeingRemoved(volume)) {
    return null;
  }
  return volume.status.startsWith("error") ? "available" : "error";
}
