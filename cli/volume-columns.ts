import { attemptOf, type VolumeRecord } from "../core/records.ts";
import { formatMap, formatTime, text } from "./format.ts";
import type { Column } from "./listing.ts";
import { stateOf } from "./progress.ts";
import { styleOfStatus } from "./terminal.ts";

/**
 * The columns of volumes.
 *
 * @param typeName a type's name by its id; a deleted type has none
 */
export function volumeColumns(typeName: (id: string) => string | undefined): Column<VolumeRecord>[] {
  const typeOf = ({ volume_type_id: id }: VolumeRecord): string | null => (id === null ? null : (typeName(id) ?? id));
  return [
    { title: "ID", value: ({ id }) => id, isKept: true },
    { title: "Name", value: ({ display_name }) => display_name },
    {
      title: "Status",
      value: ({ status }) => status,
      text: (volume) => text(stateOf(volume)),
      style: ({ status }) => styleOfStatus(status),
    },
    { title: "Size", value: ({ size }) => size, isRightAligned: true },
    { title: "Host", value: ({ host }) => host },
    { title: "Type", value: typeOf, isLong: true },
    { title: "Bootable", value: ({ bootable }) => bootable, isLong: true },
    { title: "Project", value: ({ project_id }) => project_id, isLong: true },
    { title: "Attempts", value: attemptOf, isRightAligned: true, isLong: true },
    {
      title: "Created",
      value: ({ created_at }) => created_at,
      text: ({ created_at }) => formatTime(created_at),
      isLong: true,
    },
    { title: "Source", value: sourceOf, isLong: true },
    { title: "Description", value: ({ display_description }) => display_description, isLong: true },
    {
      title: "Properties",
      value: ({ metadata }) => metadata,
      text: ({ metadata }) => formatMap(metadata),
      isLong: true,
    },
    {
      title: "Fault",
      value: ({ fault }) => (fault === null ? null : `${fault.error}: ${fault.cause}`),
      isLong: true,
    },
  ];
}

/** The source of a volume: `image ID`, `snapshot ID`, `volume ID`, or null for an empty one. */
export function sourceOf(volume: VolumeRecord): string | null {
  if (volume.snapshot_id !== null) {
    return `snapshot ${volume.snapshot_id}`;
  }
  if (volume.source_volid !== null) {
    return `volume ${volume.source_volid}`;
  }
  const image = volume.request?.image_id ?? volume.glance_metadata["image_id"];
  return image === undefined ? null : `image ${image}`;
}
