import * as v from "valibot";
import { IMAGE_BYTES } from "../../core/requests/byte-budget.ts";
import { GlanceConnectionFailed, ImageUnacceptable } from "../../core/errors.ts";
import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import { maskSecrets } from "../../core/text/secrets.ts";
import type { ImageLocation } from "../../core/spec.ts";

const nullableText = v.optional(v.nullable(v.string()), null);
const nullableSize = v.optional(v.nullable(v.pipe(v.number(), v.safeInteger(), v.minValue(0))), null);
const count = v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0)), 0);

/** The stored base attributes of Glance's image schema. All other attributes are properties. */
const ImageSchema = v.looseObject({
  id: v.string(),
  name: nullableText,
  status: v.string(),
  disk_format: nullableText,
  container_format: nullableText,
  size: nullableSize,
  virtual_size: nullableSize,
  min_disk: count,
  min_ram: count,
  checksum: nullableText,
  os_hash_algo: nullableText,
  os_hash_value: nullableText,
  owner: nullableText,
  visibility: v.optional(v.string(), "private"),
  direct_url: v.optional(v.nullable(v.string()), null),
  locations: v.optional(
    v.array(v.object({ url: v.string(), metadata: v.optional(v.record(v.string(), v.unknown()), {}) })),
    [],
  ),
});

/** `is_base` of GET /v2/schemas/image (Glance 25.1). */
const BASE: ReadonlySet<string> = new Set(
  (
    "id name status visibility protected os_hidden checksum os_hash_algo os_hash_value owner size virtual_size container_format " +
    "disk_format created_at updated_at tags direct_url min_ram min_disk self file stores schema locations"
  ).split(" "),
);

/** Properties that hold JSON as text (`_extract_attributes` and `_convert` of cinder/image/glance.py). */
const JSON_PROPERTIES: readonly string[] = ["block_device_mapping", "mappings"];

/**
 * An image as Glance v2 answers it, in Cinder's shape: base attributes at the top, all others under `properties`. Only its locations
 * without credentials are kept, because the result becomes part of a state document.
 *
 * @throws GlanceConnectionFailed when the answer is not an image; ImageUnacceptable when it is too large to travel
 */
export function readImage(imageId: string, document: unknown): { meta: ImageMeta; location: ImageLocation } {
  const parsed = v.safeParse(ImageSchema, document);
  if (!parsed.success || parsed.output.id !== imageId) {
    throw new GlanceConnectionFailed(`the answer for image ${imageId} is not its metadata`);
  }
  const { direct_url, locations, ...rest } = parsed.output;
  const { checksum, os_hash_algo, os_hash_value, owner, visibility, min_disk, min_ram, size, virtual_size } = rest;
  const { id, name, status, disk_format, container_format } = rest;
  const hashes = { checksum, os_hash_algo, os_hash_value };
  // From the document itself: the schema leaves out names such as `constructor`.
  const properties = Object.entries(document as Record<string, unknown>).filter(([key]) => !BASE.has(key));
  const image = {
    meta: {
      id,
      name,
      status,
      disk_format,
      container_format,
      size,
      virtual_size,
      min_disk,
      min_ram,
      ...hashes,
      owner,
      visibility,
      properties: Object.fromEntries(properties.map(([key, value]) => [key, propertyOf(key, value)])),
    },
    location: {
      direct_url: direct_url !== null && isWithoutCredentials(direct_url) ? direct_url : null,
      locations: locations
        .filter(({ url }) => isWithoutCredentials(url))
        .map(({ url, metadata }) => ({ url, metadata: maskSecrets(metadata) as Record<string, unknown> })),
    },
  };
  const bytes = Buffer.byteLength(JSON.stringify(image));
  if (bytes > IMAGE_BYTES) {
    throw new ImageUnacceptable(imageId, `its metadata are ${bytes} bytes; ${IMAGE_BYTES} at most can be kept`);
  }
  return image;
}

/** Stores keep passwords in `user:password@`, and signatures in the query. */
function isWithoutCredentials(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed !== null && `${parsed.username}${parsed.password}${parsed.search}` === "";
}

function propertyOf(key: string, value: unknown): unknown {
  if (!JSON_PROPERTIES.includes(key) || typeof value !== "string") {
    return value;
  }
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/**
 * Identifies the bytes of an image: they never change once it is active, so equal hash and size mean that a copy may continue.
 */
export function contentTag({ os_hash_value, checksum, size }: ImageMeta): string {
  return `${os_hash_value ?? checksum ?? "unhashed"}:${size ?? "unsized"}`;
}
