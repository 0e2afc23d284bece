import type { MadeFrom } from "../../simulation/driver.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { IMAGE, SNAPSHOT, SOURCE } from "../../simulation/identifiers.ts";

/**
 * The expected content and record of a created volume, written by hand: a comparison with another run of the same code would not notice
 * values that the code always loses.
 */
export type Expected = {
  content: MadeFrom;
  columns: Pick<VolumeRecord, "bootable" | "glance_metadata" | "metadata"> &
    Partial<Pick<VolumeRecord, "provider_location">>;
};

/** The user's metadata of every volume of a scenario. */
export const METADATA: Readonly<Record<string, string>> = { purpose: "a scenario" };

/** 102 kB as a record, and 307 kB as a message, which writes an emoji as twelve characters. */
export const EMOJI_METADATA: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 100 }, (_, index) => [`key-${index}`, "\u{1F600}".repeat(255)]),
);

/** Cinder's stored fields of the scenarios' image (`_copy_image_to_volume`, `_handle_bootable_volume_glance_meta`). */
const IMAGE_METADATA = {
  image_id: IMAGE,
  image_name: "cirros",
  checksum: "d41d8cd98f00b204e9800998ecf8427e",
  container_format: "bare",
  disk_format: "raw",
  min_disk: "0",
  min_ram: "0",
  size: "1024",
  os_distro: "cirros",
};

const notBootable = { bootable: false, glance_metadata: {}, metadata: METADATA };
const likeItsSource = { bootable: true, glance_metadata: { image_name: "cirros" }, metadata: METADATA };

/** By what a scenario says that it makes. */
export const EXPECTED = {
  "an empty volume": { content: { from: "nothing" }, columns: notBootable },
  "an empty volume that its driver placed": {
    content: { from: "nothing" },
    columns: { ...notBootable, provider_location: "there" },
  },
  "an empty volume with much metadata": {
    content: { from: "nothing" },
    columns: { bootable: false, glance_metadata: {}, metadata: EMOJI_METADATA },
  },
  "a copy of the snapshot": { content: { from: "snapshot", source: SNAPSHOT }, columns: notBootable },
  "a bootable copy of the snapshot": { content: { from: "snapshot", source: SNAPSHOT }, columns: likeItsSource },
  "a clone": { content: { from: "volume", source: SOURCE }, columns: notBootable },
  "a bootable clone": { content: { from: "volume", source: SOURCE }, columns: likeItsSource },
  "a volume of the image": {
    content: { from: "image", source: IMAGE },
    columns: { bootable: true, glance_metadata: IMAGE_METADATA, metadata: METADATA },
  },
} as const satisfies Record<string, Expected>;

/** One of {@link EXPECTED}. */
export type Made = keyof typeof EXPECTED;
