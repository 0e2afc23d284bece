import type { ImageMeta } from "../drivers/driver-ports.ts";

/**
 * Metadata with only an image's id and status, and Glance's own defaults for everything else. It is private, so that a missing visibility
 * opens nothing.
 */
export function blankImageMeta(id: string, status: string): ImageMeta {
  return {
    id,
    name: null,
    status,
    disk_format: null,
    container_format: null,
    size: null,
    virtual_size: null,
    min_disk: 0,
    min_ram: 0,
    checksum: null,
    os_hash_algo: null,
    os_hash_value: null,
    owner: null,
    visibility: "private",
    properties: {},
  };
}
