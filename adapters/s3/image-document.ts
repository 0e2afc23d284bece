import * as v from "valibot";
import { bytesOf, IMAGE_BYTES, requireWithinBudget } from "../../core/requests/byte-budget.ts";
import { ImageUnacceptable } from "../../core/errors.ts";
import { parseOrThrow } from "../../core/requests/parsing.ts";
import type { ImageMeta } from "../../core/drivers/driver-ports.ts";

/** Description of an image in the bucket: a JSON document next to the object, or the object's own metadata. */

const nullableString = v.optional(v.nullable(v.string()), null);
const wholeNumber = v.pipe(v.number(), v.integer(), v.minValue(0));

const ImageDocumentSchema = v.object({
  id: v.string(),
  name: nullableString,
  status: v.optional(v.string(), "active"),
  disk_format: nullableString,
  container_format: nullableString,
  size: v.optional(v.nullable(wholeNumber), null),
  virtual_size: v.optional(v.nullable(wholeNumber), null),
  min_disk: v.optional(wholeNumber, 0),
  min_ram: v.optional(wholeNumber, 0),
  checksum: nullableString,
  os_hash_algo: nullableString,
  os_hash_value: nullableString,
  owner: nullableString,
  visibility: v.optional(v.string(), "private"),
  // Unchanged: a record would leave out names such as `constructor`.
  properties: v.optional(
    v.custom<Record<string, unknown>>(
      (value) => typeof value === "object" && value !== null && !Array.isArray(value),
      "must be an object",
    ),
    {},
  ),
});

/** Key of the document of an image. */
export function documentKey(imageId: string): string {
  return `${imageId}.json`;
}

/**
 * Reads `<image_id>.json`. Missing fields are null, 0 or private; fields that `ImageMeta` does not have are dropped.
 *
 * @throws ImageUnacceptable when it is not such a document, or belongs to another image.
 */
export function parseImageDocument(imageId: string, text: string): ImageMeta {
  try {
    const document = parseOrThrow(ImageDocumentSchema, JSON.parse(text), "its metadata");
    requireWithinBudget(bytesOf(JSON.stringify(document)), "its metadata", IMAGE_BYTES);
    if (document.id !== imageId) {
      throw new Error(`its metadata is of image ${document.id}`);
    }
    return document;
  } catch (error) {
    throw new ImageUnacceptable(
      imageId,
      error instanceof SyntaxError ? "its metadata is not valid JSON" : (error as Error).message,
    );
  }
}

/**
 * Reads an object's `x-amz-meta-*` headers, given without that prefix: `disk-format`, `container-format`, `min-disk`, `min-ram`,
 * `os-hash-algo`, `os-hash-value`, `checksum`, `owner`, `visibility`, `name`, and `property-NAME` for each property. The size is the
 * object's. The ETag is not used as a checksum: that of a multipart upload is not an MD5.
 *
 * @throws ImageUnacceptable
 */
export function parseObjectMetadata(imageId: string, metadata: Record<string, string>, size: number | null): ImageMeta {
  const text = (key: string): string | null => metadata[key] ?? null;
  const count = (key: string): number | null => (metadata[key] === undefined ? 0 : Number(metadata[key]));
  const properties = Object.entries(metadata)
    .filter(([key]) => key.startsWith("property-"))
    .map(([key, value]) => [key.slice("property-".length), value] as const);
  const document = {
    id: imageId,
    name: text("name"),
    disk_format: text("disk-format"),
    container_format: text("container-format"),
    size,
    min_disk: count("min-disk"),
    min_ram: count("min-ram"),
    checksum: text("checksum"),
    os_hash_algo: text("os-hash-algo"),
    os_hash_value: text("os-hash-value"),
    owner: text("owner"),
    visibility: text("visibility") ?? "private",
    properties: Object.fromEntries(properties),
  };
  return parseImageDocument(imageId, JSON.stringify(document));
}
