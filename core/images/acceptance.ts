import { ImageConversionNotAllowed, ImageUnacceptable } from "../errors.ts";
import type { ImageMeta } from "../drivers/driver-ports.ts";
import { sniffImageFormat } from "./sniff.ts";

/** The rules by which an image may become a volume, without its bytes or with its first ones. */

/** Hash algorithms by which a copy can be checked and, after an interruption, continued. */
export const HASH_ALGORITHMS = ["sha512", "sha256", "md5"] as const;

/** See {@link HASH_ALGORITHMS}. */
export type HashAlgorithm = (typeof HASH_ALGORITHMS)[number];

/** The hash that an image's bytes must have; `value` is lower-case hex. */
export type ExpectedHash = { algorithm: HashAlgorithm; value: string };

const HEX_DIGITS = { sha512: 128, sha256: 64, md5: 32 } as const satisfies Record<HashAlgorithm, number>;

/** Disk formats whose content is the disk as it is; Cinder reads an ISO 9660 image and the parts of an AMI as raw ones. */
const RAW_FORMATS: readonly string[] = ["raw", "iso", "ami", "aki", "ari"];

/** Disk formats that can be read. */
const READABLE_FORMATS: readonly string[] = [...RAW_FORMATS, "qcow2"];

/** An operator's settings for images; Cinder's default for both is off. */
export type ImagePolicy = {
  /** `image_conversion_disable`: only raw images are taken. */
  isConversionDisabled: boolean;
  /** qcow2 images with extended L2 entries are taken. */
  allowExtendedL2: boolean;
};

/** The defaults. */
export const DEFAULT_IMAGE_POLICY: ImagePolicy = { isConversionDisabled: false, allowExtendedL2: false };

/** Whether the declared format is the disk as it is. */
export function isRawFormat(image: Pick<ImageMeta, "disk_format">): boolean {
  return image.disk_format !== null && RAW_FORMATS.includes(image.disk_format);
}

/**
 * Refuses what no driver here can read: a disk format other than raw and qcow2, or a compressed container. As in Cinder, every other
 * container format only labels the image: Glance requires `ami`, `aki` and `ari` for the disk formats of those names.
 *
 * @throws ImageUnacceptable
 */
export function requireReadableFormat(image: ImageMeta): void {
  if (image.container_format === "compressed") {
    throw new ImageUnacceptable(
      image.id,
      "container format compressed is not supported; upload the image uncompressed",
    );
  }
  if (image.disk_format === null || !READABLE_FORMATS.includes(image.disk_format)) {
    throw new ImageUnacceptable(
      image.id,
      `disk format ${image.disk_format ?? "(none)"} is not supported by this driver, only raw and qcow2`,
    );
  }
}

/**
 * Refuses an image that would have to be converted where the operator has switched that off (Cinder's `fetch_to_volume_format`).
 *
 * @throws ImageConversionNotAllowed
 */
export function requireConversionAllowed(image: ImageMeta, policy: ImagePolicy): void {
  if (policy.isConversionDisabled && image.disk_format !== "raw") {
    throw new ImageConversionNotAllowed(image.id, `it is ${image.disk_format ?? "(none)"}, and volumes are raw`);
  }
}

/**
 * Refuses content that declares another format than the metadata does: such a volume could make its user follow the paths that it names
 * (CVE-2015-1850 and similar).
 *
 * @param head the first `SNIFF_BYTES` of the image
 * @throws ImageUnacceptable
 */
export function requireDeclaredContent(image: ImageMeta, head: Uint8Array): void {
  const found = sniffImageFormat(head);
  if (found !== (isRawFormat(image) ? "raw" : image.disk_format)) {
    throw new ImageUnacceptable(
      image.id,
      `it is declared ${image.disk_format ?? "(none)"} but its content is ${found}`,
    );
  }
}

/**
 * The number of bytes of the image. A volume must be able to hold those of a raw image; the content of another image has the size of its
 * disk.
 *
 * @throws ImageUnacceptable when the size is unknown, nothing, or more than the volume's.
 */
export function requireSizeWithin(image: ImageMeta, volumeBytes: number): number {
  const { size } = image;
  if (size === null || !Number.isSafeInteger(size) || size < 0) {
    throw new ImageUnacceptable(image.id, "its size is unknown");
  }
  if (size === 0) {
    throw new ImageUnacceptable(image.id, "it contains no data");
  }
  if (isRawFormat(image) && size > volumeBytes) {
    throw new ImageUnacceptable(image.id, `its ${size} bytes do not fit a volume of ${volumeBytes} bytes`);
  }
  return size;
}

/**
 * The hash to check the copy by: the operator's `os_hash_algo` when it is one that can be computed here, else the MD5 `checksum`,
 * as glanceclient chooses. Unlike there, an image without any is refused.
 *
 * @throws ImageUnacceptable
 */
export function expectedHash(image: ImageMeta): ExpectedHash {
  const algorithm = HASH_ALGORITHMS.find((known) => known === image.os_hash_algo);
  const candidates: [HashAlgorithm | undefined, string | null][] = [
    [algorithm, image.os_hash_value],
    ["md5", image.checksum],
  ];
  for (const [name, value] of candidates) {
    if (name !== undefined && value !== null && value.length === HEX_DIGITS[name] && /^[0-9a-f]+$/i.test(value)) {
      return { algorithm: name, value: value.toLowerCase() };
    }
  }
  throw new ImageUnacceptable(
    image.id,
    `it has no hash that can be checked (os_hash_algo ${image.os_hash_algo ?? "(none)"}, no valid checksum)`,
  );
}
