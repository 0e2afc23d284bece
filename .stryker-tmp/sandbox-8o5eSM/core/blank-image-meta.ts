// @ts-nocheck
import type { ImageMeta } from "./driver-ports.ts";

/**
 * Metadata that say nothing of an image but its id and its status, with what Glance itself takes for what is left out. It is private,
 * so that what nobody has said opens nothing to anybody.
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
