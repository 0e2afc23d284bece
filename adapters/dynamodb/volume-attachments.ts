import { randomInt } from "node:crypto";
import type { AttachmentChange } from "../../core/ports.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { statement, type Statement, updateOf } from "./table.ts";
import type { VolumeWriter } from "./volume-writer.ts";

/** Revisions are drawn from so many: `randomInt` gives no more. */
const REVISIONS = 2 ** 48 - 1;

/**
 * The method of the same name of the repository. Each write draws a revision of its own, so that the SDK's repeat of one whose answer was lost
 * finds its own: decided again, a reservation would be refused, and no caller would know that the volume is reserved.
 */
export async function changeAttachments(
  writer: VolumeWriter,
  volume: VolumeRecord,
  change: AttachmentChange,
): Promise<VolumeRecord | undefined> {
  const { status = volume.status, attachStatus, attachments, attachedMode, readonly } = change;
  const columns: Readonly<Record<string, unknown>> = {
    attach_status: attachStatus === "detached" ? null : attachStatus,
    attachments: attachments !== undefined && Object.keys(attachments).length === 0 ? null : attachments,
    attached_mode: attachedMode,
    readonly,
  };
  const set = Object.entries(columns).filter(([, value]) => value !== undefined && value !== null);
  const removed = Object.keys(columns).filter((column) => columns[column] === null);
  const { attach_revision: revision } = volume;
  const prepared = changeStatement(
    set.map(([column]) => column),
    removed,
    revision !== undefined,
  );
  const nextRevision = randomInt(1, REVISIONS);
  const changed = await writer.writeAndRead(volume.id, prepared, {
    ":status": status,
    ":was": volume.status,
    ":next_revision": nextRevision,
    ...(revision !== undefined && { ":revision": revision }),
    ...Object.fromEntries(set.map(([column, value]) => [`:${column}`, value])),
  });
  if (changed !== undefined) {
    return changed;
  }
  const found = await writer.get(volume.id);
  return found.attach_revision === nextRevision ? found : undefined;
}

function changeStatement(set: readonly string[], removed: readonly string[], again: boolean): Statement {
  const always = ["#status = :status", "#attach_revision = :next_revision", "#updated_at = :now"];
  return statement(
    updateOf(
      [...always, ...set.map((column) => `#${column} = :${column}`)],
      removed.map((column) => `#${column}`),
    ),
    `#status = :was AND ${again ? "#attach_revision = :revision" : "attribute_not_exists(#attach_revision)"}`,
  );
}
