import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { putImage } from "../../adapters/s3/put-image.ts";
import { buildCreateRequest, DEFAULT_PROJECT_ID, DEFAULT_USER_ID } from "../../core/create-request.ts";
import type { SnapshotRecord, VolumeRecord } from "../../core/records.ts";
import type { Deployment } from "./deployment.ts";
import { makeDiskImage, makeImpostorImage } from "./disk-image.ts";
import type { Watcher } from "./watcher.ts";
import type { Wish, WishName } from "./wishes.ts";

/** What came of the wishes. A volume that was never asked for, because its source failed, has no record. */
export type Outcome = {
  records: ReadonlyMap<string, VolumeRecord>;
  snapshot: SnapshotRecord | undefined;
  /** The disk image's file, which `bootable` was made from. */
  imagePath: string;
};

/**
 * Asks for all volumes, through the scheduler queue: each as soon as what it is made from is there, so those that do not depend on
 * each other run at the same time. Ends when all of them have left the flow.
 */
export async function runScenario(
  deployment: Deployment,
  watcher: Watcher,
  wishes: Record<WishName, Wish>,
  imageDirectory: string,
): Promise<Outcome> {
  const snapshotId = randomUUID();
  const disk = { id: randomUUID(), path: path.join(imageDirectory, "disk.img") };
  const impostor = { id: randomUUID(), path: path.join(imageDirectory, "impostor.img") };
  const create = (wish: Wish, source: Source = {}) => createVolume(deployment, watcher, wish, source);

  await mkdir(imageDirectory, { recursive: true });
  let snapshot: SnapshotRecord | undefined;
  const fromImages = async (): Promise<void> => {
    await addImage(deployment, impostor, "impostor", makeImpostorImage());
    const refused = create(wishes.refused, { imageId: impostor.id });
    await addImage(deployment, disk, "disk", makeDiskImage());
    const bootable = create(wishes.bootable, { imageId: disk.id });
    const copies = fromBootable(await bootable);
    await Promise.all([refused, copies]);
  };
  const fromBootable = async (bootable: VolumeRecord): Promise<void> => {
    if (bootable.status !== "available") {
      return;
    }
    const fromSnapshot = async (): Promise<void> => {
      await deployment.createSnapshot({
        snapshot_id: snapshotId,
        volume_id: bootable.id,
        name: "of-bootable",
        project_id: DEFAULT_PROJECT_ID,
        user_id: DEFAULT_USER_ID,
      });
      snapshot = await deployment.snapshots.get(snapshotId);
      await create(wishes["from-snapshot"], { snapshotId });
    };
    await Promise.all([create(wishes.clone, { sourceVolumeId: bootable.id }), fromSnapshot()]);
  };
  await Promise.all([create(wishes.raw), create(wishes["second-try"]), fromImages()]);
  return { records: watcher.records, snapshot, imagePath: disk.path };
}

type Source = { imageId?: string; snapshotId?: string; sourceVolumeId?: string };

/** Record first, message second; then waits until the volume has left the flow. */
async function createVolume(
  deployment: Deployment,
  watcher: Watcher,
  wish: Wish,
  source: Source,
): Promise<VolumeRecord> {
  const { record, message } = buildCreateRequest(
    { sizeGib: wish.sizeGib, displayName: wish.name, availabilityZone: wish.availabilityZone, ...source },
    new Date(),
    { volumeId: wish.id, requestId: `req-${randomUUID()}` },
  );
  await deployment.volumes.create(record);
  await deployment.queue.send(message);
  return watcher.settled(wish.id);
}

/** Writes the image's file and puts it into the bucket as raw, whatever it holds. */
async function addImage(
  { s3, imagesBucket }: Deployment,
  file: { id: string; path: string },
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  await writeFile(file.path, bytes);
  const image = {
    id: file.id,
    name,
    disk_format: "raw",
    container_format: "bare",
    min_disk: 1,
    min_ram: 0,
    owner: DEFAULT_PROJECT_ID,
    visibility: "private",
    properties: { os_distro: "cinderless" },
  };
  await putImage(s3, imagesBucket, image, createReadStream(file.path));
}
