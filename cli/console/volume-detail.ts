import { isBeingRemoved, type VolumeRecord } from "../../core/records.ts";
import { surroundingsOf } from "../commands/show.ts";
import type { Session } from "../session.ts";
import { sourceOf } from "../volume-columns.ts";
import { allLetters } from "./actions.ts";
import { type ErrorPage, meaningOf } from "./error-meanings.ts";
import { copyOf } from "./volume-feed.ts";
import type { VolumeAnswer } from "./wire.ts";

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

/** A volume that is a file on its backend's machine can be used there: see `docs/using-a-volume.md`. */
function commandsOf({ id, status, provider_location: location }: VolumeRecord): VolumeAnswer["commands"] {
  const commands = [
    { title: "Show it in a shell", command: `npx cinderless show ${id}` },
    { title: "Follow it in a shell", command: `npx cinderless watch ${id}` },
  ];
  if (status !== "available" || location === null || !location.startsWith("/")) {
    return commands;
  }
  const file = quoteForShell(location);
  // QEMU takes two commas for one in the value of an option.
  const drive = quoteForShell(location.replaceAll(",", ",,"));
  return [
    {
      title: "Attach it to a virtual machine, on the backend's machine",
      command: `qemu-system-x86_64 -m 512 -drive file=${drive},format=raw,if=virtio`,
    },
    { title: "Mount it, on the backend's machine, as root", command: `mount -o loop ${file} /mnt` },
    ...commands,
  ];
}

function quoteForShell(text: string): string {
  return /^[\w./@%+=:,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
