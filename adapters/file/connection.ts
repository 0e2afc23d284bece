import { dirname, relative } from "node:path";
import { InvalidInput } from "../../core/errors.ts";
import type { ConnectionInfo, VolumeRecord } from "../../core/records.ts";
import type { FileDriverOptions } from "./options.ts";

/**
 * How a host reaches a volume: it mounts the export, and finds the volume's file in it (`initialize_connection` of
 * cinder/volume/drivers/nfs.py). The manager adds the other fields (`_parse_connection_options`).
 *
 * The export is the file system at the mount point, or the directory without one. A directory of this machine that is not on a mount is an
 * export of `localhost`, for hosts on this machine.
 *
 * @param path the volume's file
 * @throws InvalidInput when the directory is on a mount whose export the options do not name
 */
export function nfsConnection(
  host: string,
  options: FileDriverOptions,
  { attached_mode: mode, readonly }: VolumeRecord,
  path: string,
): ConnectionInfo {
  const { directory, mount_point: mountPoint, mount_options: mountOptions = null } = options;
  const exportedDirectory = mountPoint ?? directory;
  const fallback = mountPoint === undefined ? `localhost:${directory}` : undefined;
  const exported = options.export ?? fallback;
  if (exported === undefined) {
    throw new InvalidInput(
      `backend ${host} names no export, so no host may mount it; set volumeConsumers of the stack, or export in the backend's options`,
    );
  }
  return {
    driver_volume_type: "nfs",
    data: {
      export: exported,
      name: relative(exportedDirectory, path),
      options: mountOptions,
      format: "raw",
      qos_specs: null,
      access_mode: mode ?? (readonly === true ? "ro" : "rw"),
      encrypted: false,
      cacheable: false,
    },
    mount_point_base: dirname(exportedDirectory),
  };
}
