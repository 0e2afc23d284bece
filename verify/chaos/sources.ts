import { randomUUID } from "node:crypto";
import { open, truncate } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { snapshotPlace, volumePlace } from "../../adapters/file/paths.ts";
import { putImage } from "../../adapters/s3/put-image.ts";
import { backendHost } from "../../core/backends/backends.ts";
import { buildCreateRequest } from "../../core/requests/create-request.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { isInFlow } from "../../core/volume-lifecycle.ts";
import { digestOf, type Piece } from "./content.ts";
import { damageImage } from "./damage.ts";
import type { AcceptedVolume } from "./evidence.ts";
import type { Random } from "./random.ts";
import { persist, type Services } from "./services.ts";
import { BACKENDS, backendDirectory, TIME_BOUNDS, ZONE } from "./stack.ts";
import { DAMAGED_IMAGES, IMAGES, PROJECT, SOURCES } from "./work.ts";

/**
 * Something that volumes are made of. `digest` is that of its bytes when it was made; `damage` says what is left when it has lost some
 * of them since: then nothing may be made of it.
 */
export type Source = { id: string; digest: string; damage?: Damage };

/** Remains of a source on its backend. */
type Damage = { bytes: number; digest: string };

/** Sources of volumes, and the possible places of their data. */
export type Sources = {
  images: readonly Source[];
  snapshots: readonly Source[];
  volumes: readonly Source[];
  /** Every source volume that was asked for, also those that failed. */
  known: readonly AcceptedVolume[];
  offsets: readonly number[];
};

const BLOCK = 4096;
const GIB = 2 ** 30;
/** Remaining bytes of a source that loses bytes: all of its data except the last piece. */
const LEFT_BYTES = GIB / 2;

/** Makes images, of which some are damaged, source volumes with data in them, and snapshots of those. Faults strike these as well, so each may take some tries. */
export async function makeSources(
  services: Services,
  directory: string,
  random: Random,
  signal: AbortSignal,
): Promise<Sources> {
  const known: AcceptedVolume[] = [];
  const offsets = new Set<number>();
  const images: Source[] = [];
  const volumes: Source[] = [];
  const snapshots: Source[] = [];
  for (let index = 0; index < IMAGES; index += 1) {
    const bytes = random.bytes(BLOCK * (1 + random.below(32)) - random.below(BLOCK));
    const id = await makeImage(services, bytes, signal);
    images.push({ id, digest: digestOf([{ offset: 0, data: bytes }]) });
    for (let at = 0; at < bytes.length; at += BLOCK) {
      offsets.add(at);
    }
    if (index >= IMAGES - DAMAGED_IMAGES) {
      await damageImage(services, id, bytes, index, signal);
    }
  }
  for (let index = 0; index < SOURCES; index += 1) {
    const pieces = [0, BLOCK * (1 + random.below(100_000)), GIB - BLOCK].map((offset): Piece => {
      offsets.add(offset);
      return { offset, data: random.bytes(BLOCK) };
    });
    const digest = digestOf(pieces);
    const volume = await makeVolume(services, known, digest, signal);
    await fill(directory, volume, pieces);
    const snapshot = await takeSnapshot(services, volume.id, signal);
    const isLast = index === SOURCES - 1;
    const damage = isLast ? await truncateBoth(directory, volume, snapshot, pieces) : undefined;
    volumes.push(damage === undefined ? { id: volume.id, digest } : { id: volume.id, digest, damage });
    snapshots.push(damage === undefined ? { id: snapshot, digest } : { id: snapshot, digest, damage });
    const made = known.find(({ id }) => id === volume.id);
    if (made !== undefined && damage !== undefined) {
      Object.assign(made, { sizeGib: damage.bytes / GIB, digest: damage.digest });
    }
  }
  return { images, snapshots, volumes, known, offsets: [...offsets] };
}

async function makeImage({ s3, output }: Services, bytes: Buffer, signal: AbortSignal): Promise<string> {
  return persist(signal, async () => {
    const id = randomUUID();
    const image = {
      id,
      name: "chaos",
      disk_format: "raw",
      container_format: "bare",
      min_disk: 1,
      min_ram: 0,
      owner: PROJECT,
      visibility: "private",
      properties: {},
    };
    await putImage(s3, output("ImagesBucketName"), image, piecesOf(bytes));
    return id;
  });
}

async function* piecesOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Asks for source volumes until one becomes available. */
async function makeVolume(
  services: Services,
  known: AcceptedVolume[],
  digest: string,
  signal: AbortSignal,
): Promise<VolumeRecord> {
  for (;;) {
    const ids = { volumeId: randomUUID(), requestId: `req-${randomUUID()}` };
    const queuedSeconds = TIME_BOUNDS.queued_seconds;
    const input = { sizeGib: 1, projectId: PROJECT, availabilityZone: ZONE, queuedSeconds };
    const { record, message } = buildCreateRequest(input, new Date(), ids);
    await persist(signal, () => services.volumes.create(record));
    const request = { QueueUrl: services.output("SchedulerQueueUrl"), MessageBody: JSON.stringify(message) };
    await persist(signal, () => services.sqs.send(new SendMessageCommand(request)));
    known.push({
      id: record.id,
      name: null,
      project: PROJECT,
      kind: "raw",
      sizeGib: 1,
      digest,
      deletion: "none",
      spoiled: false,
      foreign: false,
      abandoned: false,
      extendedTo: null,
      resetTo: null,
      redriven: false,
      suspectedOn: [],
      zone: ZONE,
    });
    const made = await decided(services, record.id, signal);
    if (made.status === "available") {
      return made;
    }
  }
}

async function decided({ volumes }: Services, volumeId: string, signal: AbortSignal): Promise<VolumeRecord> {
  for (;;) {
    const volume = await persist(signal, () => volumes.get(volumeId));
    if (!isInFlow(volume)) {
      return volume;
    }
    await delay(50);
  }
}

/** Writes into the file of the volume, as a server that has it attached would. */
async function fill(directory: string, volume: VolumeRecord, pieces: readonly Piece[]): Promise<void> {
  const backend = BACKENDS.find(({ host }) => host === backendHost(volume.host ?? ""));
  await using file = await open(
    volumePlace(backendDirectory(directory, backend?.name ?? ""), volume.id, volume.fence).path,
    "r+",
  );
  for (const { offset, data } of pieces) {
    await file.write(data, 0, data.length, offset);
  }
  await file.sync();
}

/** Takes bytes of a volume and its snapshot away, as a backend does that loses a part of a file. */
async function truncateBoth(
  directory: string,
  volume: VolumeRecord,
  snapshotId: string,
  pieces: readonly Piece[],
): Promise<Damage> {
  const backend = BACKENDS.find(({ host }) => host === backendHost(volume.host ?? ""));
  const files = backendDirectory(directory, backend?.name ?? "");
  await truncate(volumePlace(files, volume.id, volume.fence).path, LEFT_BYTES);
  await truncate(snapshotPlace(files, snapshotId).path, LEFT_BYTES);
  const digest = digestOf(pieces.filter(({ offset }) => offset < LEFT_BYTES));
  return { bytes: LEFT_BYTES, digest };
}

async function takeSnapshot(services: Services, volumeId: string, signal: AbortSignal): Promise<string> {
  const id = randomUUID();
  const request = { snapshot_id: id, volume_id: volumeId, project_id: PROJECT, user_id: PROJECT };
  await persist(signal, () => services.call(services.functionName("CreateSnapshot"), request));
  return id;
}
