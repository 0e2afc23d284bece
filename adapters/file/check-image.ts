import { type FileHandle, realpath } from "node:fs/promises";
import { blankImageMeta } from "../../core/images/blank-image-meta.ts";
import { ImageUnacceptable, InvalidInput, VolumeBackendAPIException, describeError } from "../../core/errors.ts";
import {
  DEFAULT_IMAGE_POLICY,
  type ImagePolicy,
  isRawFormat,
  requireDeclaredContent,
  requireReadableFormat,
} from "../../core/images/acceptance.ts";
import { describeQcow2, type Qcow2Description } from "../../core/images/qcow2/describe.ts";
import { parseQcow2Header, QCOW2_HEAD_BYTES } from "../../core/images/qcow2/header.ts";
import { Qcow2Layout, type Qcow2Survey } from "../../core/images/qcow2/layout.ts";
import {
  type ContainerImageFormat,
  type RawContent,
  SNIFF_BYTES,
  describeRawContent,
  sniffImageFormat,
} from "../../core/images/sniff.ts";
import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import { openRegular } from "./files.ts";
import { handleBytes } from "./image-bytes.ts";
import { decompressOrRefuse, tableChecksum } from "./qcow2-sink.ts";

const GIB = 2 ** 30;

/** Shorter files are read as if zeros followed. */
const DESCRIBED_BYTES = 512;

/** Findings of the checks, with the printed keys. */
export type ImageReport = {
  file: string;
  /** Bytes of the file. */
  size: number;
  /** Declared, or found in the content. */
  disk_format: string;
  content: ContainerImageFormat | "raw";
  /** The beginning of a raw disk. */
  begins_with: RawContent | null;
  acceptable: boolean;
  /** Why it is not. */
  error: { name: string; message: string } | null;
  /** Bytes of the disk, and GiB of the smallest volume for disk and file; null when the image is not acceptable. */
  virtual_size: number | null;
  min_volume_gb: number | null;
  qcow2: (Qcow2Description & Partial<Qcow2Survey>) | null;
};

/**
 * Checks a local file the way an image copy would: its content's format, and for qcow2 its header, its tables, and each compressed cluster.
 * Only its hash and the volume's size are not checked.
 *
 * @param declared the disk format to check; by default the content's format
 * @throws system errors; InvalidInput when it is not a regular file
 */
export async function checkImageFile(
  path: string,
  declared?: string,
  policy: ImagePolicy = DEFAULT_IMAGE_POLICY,
): Promise<ImageReport> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    const bytes = handleBytes(file);
    const head = await bytes.readAt(0, Math.min(size, QCOW2_HEAD_BYTES));
    const content = sniffImageFormat(head.subarray(0, SNIFF_BYTES));
    const report: ImageReport = {
      file: path,
      size,
      disk_format: declared ?? content,
      content,
      begins_with: content === "raw" ? (describeRawContent(head) ?? null) : null,
      acceptable: false,
      error: null,
      virtual_size: null,
      min_volume_gb: null,
      qcow2: content === "qcow2" ? describeQcow2(padded(head)) : null,
    };
    try {
      await judge(report, file, head, policy);
    } catch (error) {
      if (!(error instanceof ImageUnacceptable)) {
        throw error;
      }
      report.error = describeError(error);
    }
    return report;
  } finally {
    await file.close();
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    // A user may name a file by a link here; a backend never follows one.
    return await openRegular(await realpath(path), "read");
  } catch (error) {
    throw error instanceof VolumeBackendAPIException ? new InvalidInput(`${path} is not a regular file`) : error;
  }
}

/** Completes the report. @throws ImageUnacceptable */
async function judge(report: ImageReport, file: FileHandle, head: Uint8Array, policy: ImagePolicy): Promise<void> {
  const meta = metaOf(report);
  requireReadableFormat(meta);
  if (report.size === 0) {
    throw new ImageUnacceptable(report.file, "it contains no data");
  }
  requireDeclaredContent(meta, head.subarray(0, SNIFF_BYTES));
  let virtualBytes = report.size;
  if (!isRawFormat(meta)) {
    const layout = await checkQcow2(report.file, file, report.size, head, policy);
    virtualBytes = layout.header.virtualBytes;
    report.qcow2 = { ...describeQcow2(padded(head)), ...layout.survey };
  }
  report.acceptable = true;
  report.virtual_size = virtualBytes;
  report.min_volume_gb = smallestVolumeGib(virtualBytes, report.size);
}

function smallestVolumeGib(virtualBytes: number, fileBytes: number): number {
  return Math.max(1, Math.ceil(Math.max(virtualBytes, fileBytes) / GIB));
}

/** Reads the tables, and decompresses compressed clusters: only their content can be damaged by itself. */
async function checkQcow2(
  imageId: string,
  file: FileHandle,
  fileBytes: number,
  head: Uint8Array,
  policy: ImagePolicy,
): Promise<Qcow2Layout> {
  const bytes = handleBytes(file);
  const anyVolume = {
    imageId,
    fileBytes,
    volumeBytes: Number.MAX_SAFE_INTEGER,
    allowExtendedL2: policy.allowExtendedL2,
  };
  // The allowed work of an image depends on the volume: it is judged for the smallest one.
  const { virtualBytes } = parseQcow2Header(head, anyVolume);
  const rules = { ...anyVolume, volumeBytes: smallestVolumeGib(virtualBytes, fileBytes) * GIB };
  const layout = await Qcow2Layout.read(head, bytes, rules, tableChecksum);
  const { clusterBytes, compression } = layout.header;
  for (let from = 0; layout.survey.compressed_clusters > 0 && from < fileBytes;) {
    const { mappings, until } = await layout.window(from);
    for (let index = 0; index < mappings.length; index += 1) {
      const length = mappings.compressedBytes(index);
      const host = mappings.hostOffset(index);
      if (length > 0 && host >= from) {
        decompressOrRefuse(imageId, compression, await bytes.readAt(host, length), clusterBytes, host);
      }
    }
    from = until;
  }
  return layout;
}

function metaOf({ file, disk_format, size }: ImageReport): ImageMeta {
  return { ...blankImageMeta(file, "active"), disk_format, container_format: "bare", size };
}

function padded(head: Uint8Array): Uint8Array {
  if (head.length >= DESCRIBED_BYTES) {
    return head;
  }
  const bytes = new Uint8Array(DESCRIBED_BYTES);
  bytes.set(head);
  return bytes;
}
