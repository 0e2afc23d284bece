import type { FileHandle } from "node:fs/promises";
import { type HashAlgorithm, isRawFormat } from "../../core/images/acceptance.ts";
import { QCOW2_HEAD_BYTES } from "../../core/images/qcow2/header.ts";
import { Qcow2Layout } from "../../core/images/qcow2/layout.ts";
import { Qcow2Pass } from "../../core/images/qcow2/pass.ts";
import type { FileBytes } from "../../core/images/qcow2/tables.ts";
import { isAbsent, withRegular } from "./files.ts";
import { handleBytes, readImageHead, serviceBytes } from "./image-bytes.ts";
import { createFastHash, type ImageHasher } from "./image-hash.ts";
import type { Resumption } from "./image-progress.ts";
import { rulesOf, type Run, stageName } from "./image-turn.ts";
import { tableChecksum } from "./qcow2-sink.ts";
import { CHUNK_BYTES } from "./sparse.ts";
import type { TurnWatch } from "./turn-watch.ts";
import { dataName } from "./work-area.ts";

/**
 * Hashes the image bytes that an interrupted turn has placed again, without reading them from the image service again: it hashes the
 * volume's content.
 */

/** Hashes the bytes of an interrupted turn; undefined when they do not exist. */
export async function hashAgain(run: Run, resumption: Resumption): Promise<ImageHasher | undefined> {
  const { copyId, stage } = resumption;
  const path = run.area.path(stage === "stage" ? stageName(copyId) : dataName(copyId));
  try {
    return await withRegular(path, "read", (file) => hashPlaced(run, file, resumption));
  } catch (error) {
    if (isAbsent(error)) {
      return undefined;
    }
    throw error;
  }
}

async function hashPlaced(
  { job, watch }: Run,
  file: FileHandle,
  { stage, offset, tag }: Resumption,
): Promise<ImageHasher | undefined> {
  const { algorithm } = job.expected;
  if (stage === "stage" || isRawFormat(job.image.meta)) {
    return hashOfFile(algorithm, file, offset, watch);
  }
  const head = await readImageHead(job.image, QCOW2_HEAD_BYTES, tag, watch.signal);
  const image = watch.reads(serviceBytes(job.image, head.tag, watch.signal));
  const layout = await Qcow2Layout.read(head.bytes, image, rulesOf(job), tableChecksum);
  return hashOfClusters(algorithm, layout, watch.reads(handleBytes(file)), image, offset);
}

/** The hash of the first `length` bytes of a file, to continue after them; undefined when the file is shorter. */
async function hashOfFile(
  algorithm: HashAlgorithm,
  file: FileHandle,
  length: number,
  watch: Pick<TurnWatch, "look">,
): Promise<ImageHasher | undefined> {
  const hasher = createFastHash(algorithm);
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  for (let offset = 0; offset < length;) {
    await watch.look();
    const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK_BYTES, length - offset), offset);
    if (bytesRead === 0) {
      return undefined;
    }
    hasher.update(buffer.subarray(0, bytesRead));
    offset += bytesRead;
  }
  return hasher;
}

/**
 * Clusters of the usual size or larger are contiguous on the volume, with few tables. With smaller clusters nearly each MiB of the image
 * would contain a table and be sent again. Decompressed bytes do not determine their compressed form.
 */
const SMALLEST_CLUSTER_BYTES = 2 ** 16;

/** Whether {@link hashOfClusters} finds most of the image on the volume. */
export function canHashClustersAgain({ header, survey }: Qcow2Layout): boolean {
  return header.clusterBytes >= SMALLEST_CLUSTER_BYTES && survey.compressed_clusters === 0;
}

/**
 * The hash of the first `length` bytes of a qcow2 image whose clusters are on the volume. A range of the image that is completely on the
 * volume is read there; a range with tables or unused clusters is read from the image.
 */
async function hashOfClusters(
  algorithm: HashAlgorithm,
  layout: Qcow2Layout,
  volume: FileBytes,
  image: FileBytes,
  length: number,
): Promise<ImageHasher> {
  const hasher = createFastHash(algorithm);
  const pass = await Qcow2Pass.from(layout, 0);
  for (let at = 0; at < length;) {
    const end = await pass.stepEnd(at, Math.min(at + CHUNK_BYTES, length));
    const pieces = piecesOnDisk(pass, at, end);
    if (pieces === undefined) {
      hasher.update(await image.readAt(at, end - at));
    } else {
      for (const { offset, bytes } of pieces) {
        hasher.update(await volume.readAt(offset, bytes));
      }
    }
    at = end;
  }
  return hasher;
}

/** Places on the disk of the file's bytes from `from` to `to`, in order; undefined when some are missing. */
function piecesOnDisk(pass: Qcow2Pass, from: number, to: number): { offset: number; bytes: number }[] | undefined {
  const pieces: { offset: number; bytes: number }[] = [];
  let reached = from;
  let isWhole = true;
  pass.visit(from, to, {
    plain: (host, bytes, disk) => {
      isWhole &&= host <= reached;
      // Clusters of the disk may share their bytes in the file.
      const known = reached - host;
      if (isWhole && bytes > known) {
        pieces.push({ offset: disk + known, bytes: bytes - known });
        reached = host + bytes;
      }
    },
    compressed: () => {
      isWhole = false;
    },
  });
  return isWhole && reached === to ? pieces : undefined;
}
