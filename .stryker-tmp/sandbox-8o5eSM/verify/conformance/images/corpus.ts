// @ts-nocheck
import { readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import * as v from "valibot";

/** A directory of images with what becomes of each in `expected.json`. */

const wholeNumber = v.pipe(v.number(), v.integer(), v.minValue(0));
const fileName = v.pipe(v.string(), v.regex(/^[^/\\\0]+$/, "a file's name without a directory"));

const CorpusImageSchema = v.object({
  file: fileName,
  /** Whether the file is compressed with gzip. */
  gz: v.optional(v.boolean(), false),
  /** Declared, and that of the content. */
  disk_format: v.string(),
  actual_format: v.string(),
  verdict: v.picklist(["accept", "refuse"]),
  error: v.optional(v.string()),
  rule: v.optional(v.string()),
  virtual_size: v.optional(wholeNumber),
  /** SHA-256 of the disk's content; null when it is too large for that. */
  sha256: v.optional(v.nullable(v.string())),
  /** SHA-256 over the offset (8 bytes, big endian) and content of each block of 64 KiB that is not all zeros. */
  nonzero64k_sha256: v.optional(v.string()),
  data_extents: v.optional(v.array(v.tuple([wholeNumber, wholeNumber]))),
  min_volume_gb: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 1),
  /** A refused image that may be taken after all, with exactly this content. */
  may_accept_as_sha256: v.optional(v.string()),
});

/** See {@link CorpusImageSchema}. */
export type CorpusImage = v.InferOutput<typeof CorpusImageSchema>;

/** Reads the text of `expected.json`. @throws with one line that says what is wrong with it */
export function parseCorpus(text: string): CorpusImage[] {
  const result = v.safeParse(v.object({ images: v.array(CorpusImageSchema) }), JSON.parse(text));
  if (!result.success) {
    const [issue] = result.issues;
    throw new Error(`${v.getDotPath(issue) ?? "document"}: ${issue.message}`);
  }
  return result.output.images;
}

/** The images of a directory. @throws as {@link parseCorpus} */
export async function readCorpus(directory: string): Promise<CorpusImage[]> {
  return parseCorpus(await readFile(path.join(directory, "expected.json"), "utf8"));
}

/** The image's bytes. */
export async function readImage(directory: string, image: CorpusImage): Promise<Buffer> {
  const bytes = await readFile(path.join(directory, image.file));
  return image.gz ? promisify(gunzip)(bytes) : bytes;
}
