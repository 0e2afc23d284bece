import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { putImage } from "../../adapters/s3/put-image.ts";
import { buildCreateRequest, DEFAULT_PROJECT_ID, DEFAULT_USER_ID } from "../../core/requests/create-request.ts";
import type { SnapshotRecord, VolumeRecord } from "../../core/records.ts";
import { explain } from "../screen.ts";
import type { Deployment } from "./deployment.ts";
import { makeDiskImage, makeImpostorImage } from "./disk-image.ts";
import type { Watcher } from "./watcher.ts";
import type { Wish, WishName } from "./wishes.ts";

/** The results of the wishes. A volume that was never requested, because its source failed, has no record. */
export type Outcome = {
  records: ReadonlyMap<string, VolumeRecord>;
  snapshot: SnapshotRecord | undefined;
  /** The disk image's file, the source of `bootable`. */
  imagePath: string;
  /** Wishes that could not be requested, or did not end, with the reason. */
  problems: readonly string[];
};

/** Dependencies of a scenario. */
export type ScenarioContext = {
  deployment: Deployment;
  watcher: Watcher;
  wishes: Record<WishName, Wish>;
  /** Directory of the images' files. */
  imageDirectory: string;
};

/**
 * Requests all volumes through the scheduler queue, each as soon as its source exists. Independent ones run at the same time. Ends when all
 * of them have left the flow; a failed step only affects the steps that depend on it.
 */
export async function runScenario(context: ScenarioContext): Promise<Outcome> {
  const { deployment, watcher, wishes, imageDirectory } = context;
  const disk = { id: randomUUID(), path: path.join(imageDirectory, "disk.img") };
  const impostor = { id: randomUUID(), path: path.join(imageDirectory, "impostor.img") };
  const create = (wish: Wish, source: Source = {}) => createVolume(context, wish, source);
  const problems: string[] = [];
  let snapshot: SnapshotRecord | undefined;

  await mkdir(imageDirectory, { recursive: true });
  const fromSnapshot = async (): Promise<void> => {
    snapshot = await takeSnapshot(deployment, wishes.bootable.id);
    await create(wishes["from-snapshot"], { snapshotId: snapshot.id });
  };
  const fromImage = async (): Promise<void> => {
    await addImage(deployment, disk, "disk", makeDiskImage());
    const { status } = await create(wishes.bootable, { imageId: disk.id });
    if (status === "available") {
      await all(problems, [
        ["clone", () => create(wishes.clone, { sourceVolumeId: wishes.bootable.id })],
        ["from-snapshot", fromSnapshot],
      ]);
    }
  };
  const fromImpostor = async (): Promise<void> => {
    await addImage(deployment, impostor, "impostor", makeImpostorImage());
    await create(wishes.refused, { imageId: impostor.id });
  };
  await all(problems, [
    ["raw", () => create(wishes.raw)],
    ["second-try", () => create(wishes["second-try"])],
    ["refused", fromImpostor],
    ["bootable", fromImage],
  ]);
  return { records: watcher.records, snapshot, imagePath: disk.path, problems };
}

/** Runs steps at the same time and waits for all of them; notes why one failed. */
async function all(problems: string[], steps: readonly [WishName, () => Promise<unknown>][]): Promise<void> {
  await Promise.all(
    steps.map(([name, run]) => run().catch((error: unknown) => problems.push(`${name}: ${explain(error)}`))),
  );
}

type Source = { imageId?: string; snapshotId?: string; sourceVolumeId?: string };

/** Puts the record, then sends the message; then waits until the volume has left the flow. */
async function createVolume(
  { deployment, watcher }: ScenarioContext,
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

/** Has the stack's own function take a snapshot. */
async function takeSnapshot(deployment: Deployment, volumeId: string): Promise<SnapshotRecord> {
  const snapshotId = randomUUID();
  await deployment.createSnapshot({
    snapshot_id: snapshotId,
    volume_id: volumeId,
    name: "of-bootable",
    project_id: DEFAULT_PROJECT_ID,
    user_id: DEFAULT_USER_ID,
  });
  return deployment.snapshots.get(snapshotId);
}

/** Writes the image's file and puts it into the bucket as raw, whatever its content. */
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
