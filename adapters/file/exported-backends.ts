import * as v from "valibot";
import type { Backend, ExportedFileSystem } from "../../core/backends/backends.ts";
import { parseOrThrow } from "../../core/requests/parsing.ts";

const ExportedFileSystemSchema: v.GenericSchema<ExportedFileSystem> = v.object({
  mount_point: v.string(),
  export: v.string(),
});

/**
 * The backends as other hosts reach them: a backend on the mounted file system is a part of its export, unless its options name one.
 *
 * @param fileSystem JSON of an {@link ExportedFileSystem}; undefined when no host may mount the file system
 * @throws InvalidInput when it is not one
 */
export function exportedBackends(backends: readonly Backend[], fileSystem: string | undefined): readonly Backend[] {
  if (fileSystem === undefined) {
    return backends;
  }
  const exported = parseOrThrow(ExportedFileSystemSchema, JSON.parse(fileSystem), "file system export");
  return backends.map((backend) =>
    backend.driver === "file" && backend.options["mount_point"] === exported.mount_point
      ? { ...backend, options: { export: exported.export, ...backend.options } }
      : backend,
  );
}
