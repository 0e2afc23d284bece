import { isAbsolute, normalize, sep } from "node:path";
import * as v from "valibot";
import { DEFAULT_IMAGE_POLICY, type ImagePolicy } from "../../core/images/acceptance.ts";
import { parseOrThrow } from "../../core/requests/parsing.ts";

const absolutePath = (what: string) =>
  v.pipe(
    v.string(`${what} must be a string`),
    v.check((path) => isAbsolute(path) && !path.includes("\0"), `${what} must be an absolute path`),
    v.transform((path) => (path.length > 1 ? normalize(path).replace(/[/\\]$/, "") : path)),
  );

/** A server's name or address, IPv6 in brackets, and an absolute path without spaces. */
const NFS_EXPORT = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\]):\/[^\s:\p{Cc}]{0,1023}$/u;

/**
 * Options of the `file` driver, as a backend's configuration gives them.
 *
 * - `directory`: where the volumes are; made (mode 0700) when it is not there.
 * - `mount_point`: a directory that must be a mount point before anything is done. To be set wherever `directory` is on a network
 *   file system: without its mount, "no such volume" would be wrong, and a new volume would go to the wrong disk.
 * - `image_directory`: images in files below it may be cloned where they are (see `clone-image.ts`).
 * - `image_conversion_disable`: only raw images become volumes (Cinder's option of that name).
 * - `image_allow_extended_l2`: qcow2 images with extended L2 entries are read. Cinder refuses them.
 * - `turn_reserve_seconds`: seconds that a turn of a copy reserves for its answer, if the functions' time-outs are short.
 * - `export`: `mount_point`, or `directory` without one, as hosts mount it: `SERVER:/PATH`; see `connection.ts`.
 * - `mount_options`: options of that mount, as `-o nfsvers=4.1`.
 * - `capacity_gb`: the total to report, for file systems without a size of their own (EFS), or to keep a backend smaller than its disk.
 */
const FileDriverOptionsSchema = v.pipe(
  v.strictObject({
    directory: absolutePath("directory"),
    mount_point: v.optional(absolutePath("mount_point")),
    image_directory: v.optional(absolutePath("image_directory")),
    image_conversion_disable: v.optional(v.boolean("image_conversion_disable must be true or false")),
    image_allow_extended_l2: v.optional(v.boolean("image_allow_extended_l2 must be true or false")),
    turn_reserve_seconds: v.optional(
      v.pipe(
        v.number("turn_reserve_seconds must be a number"),
        v.minValue(1, "turn_reserve_seconds must be from 1 to 60"),
        v.maxValue(60, "turn_reserve_seconds must be from 1 to 60"),
      ),
    ),
    export: v.optional(
      v.pipe(
        v.string("export must be a string"),
        v.regex(
          NFS_EXPORT,
          "export must be SERVER:/PATH, as in fs-0123.efs.eu-west-1.amazonaws.com:/ or 10.0.0.5:/srv",
        ),
      ),
    ),
    mount_options: v.optional(
      v.pipe(
        v.string("mount_options must be a string"),
        v.regex(/^-o [\w.=,:/-]{1,200}$/, "mount_options must be '-o ' and options with commas between them"),
      ),
    ),
    capacity_gb: v.optional(
      v.pipe(v.number("capacity_gb must be a number"), v.gtValue(0, "capacity_gb must be positive")),
    ),
  }),
  v.check(
    ({ directory, mount_point: mountPoint }) =>
      mountPoint === undefined || directory === mountPoint || directory.startsWith(mountPoint + sep),
    "directory must be on mount_point",
  ),
);

/** See {@link FileDriverOptionsSchema}. */
export type FileDriverOptions = v.InferOutput<typeof FileDriverOptionsSchema>;

/**
 * Checks the options of a backend.
 *
 * @throws InvalidInput that names the backend and each option that is wrong.
 */
export function parseFileDriverOptions(host: string, options: unknown): FileDriverOptions {
  return parseOrThrow(FileDriverOptionsSchema, options, `options of backend ${host}`);
}

/** The options for images. */
export function imagePolicyOf(options: FileDriverOptions): ImagePolicy {
  return {
    isConversionDisabled: options.image_conversion_disable ?? DEFAULT_IMAGE_POLICY.isConversionDisabled,
    allowExtendedL2: options.image_allow_extended_l2 ?? DEFAULT_IMAGE_POLICY.allowExtendedL2,
  };
}
