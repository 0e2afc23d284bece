import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { putImage } from "../../adapters/s3/put-image.ts";
import type { CreateRequestInput } from "../../core/requests/create-request.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { type CinderlessUnderTest, startUnderTest } from "../support/local-cinderless.ts";
import { type ServiceClients, serviceClients } from "../support/service-clients.ts";
import { until } from "../support/until.ts";

/**
 * Deletes during creates, with real bundles, the synthesised workflow and the records. A backend holds each create where the delete has to
 * find it, until {@link goOn}. Then its answer is lost, which the workflow takes as it takes a time-out.
 */

/** Makes the volume, and its answer is always lost. */
const MUTE = "mute";
/** Answer, but not the first time that they copy anything. The tests run at the same time, so each has one of its own. */
const HESITANT = { copies: "copies", makes: "makes", clones: "clones", restores: "restores" };

let directory: string;
let under: CinderlessUnderTest;
let clients: ServiceClients;

const holdFile = (zone: string): string => join(directory, `${zone}-held`);
/** Lets the calls that a backend holds come to their end. */
const goOn = (zone: string): void => rmSync(holdFile(zone));

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "cinderless-deletes-"));
  for (const zone of [MUTE, ...Object.values(HESITANT)]) {
    writeFileSync(holdFile(zone), "");
  }
  const backend = (name: string, faults: object[]) => ({
    host: `node@${name}`,
    driver: "fault",
    availability_zone: name,
    options: {
      driver: "file",
      options: { directory: join(directory, name) },
      state_directory: join(directory, `${name}-state`),
      faults: faults.map((fault) => ({ ...fault, error: "ConnectionLost", hold_file: holdFile(name) })),
    },
  });
  const hesitations = [
    { call: "createClonedVolume" },
    { call: "createVolumeFromSnapshot" },
    { call: "copyImageToVolume", when: "after" },
  ];
  under = await startUnderTest({
    context: {
      backends: [
        backend(MUTE, [{ call: "createVolume", when: "after", times: "always" }]),
        ...Object.values(HESITANT).map((name) => backend(name, hesitations)),
      ],
    },
  });
  clients = serviceClients(under.cloud);
});

afterAll(async () => {
  clients?.destroy();
  await under?.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function reached(volumeId: string, is: (volume: VolumeRecord) => boolean): Promise<VolumeRecord> {
  for (;;) {
    const volume = await under.volumes.get(volumeId);
    if (is(volume)) {
      return volume;
    }
    await delay(20);
  }
}

const create = (zone: string, input: Partial<CreateRequestInput> = {}) =>
  under.create({ sizeGib: 1, availabilityZone: zone, ...input });
const available = async (zone: string) => under.settled(await create(zone));
const isBeingCreated = ({ phase }: VolumeRecord) => phase === "creating";

/** Nothing is left of it: no record, no file, no capacity. */
async function expectGone(volumeId: string): Promise<void> {
  await until(async () => (await under.volumes.getMany([volumeId])).size === 0);
  for (const backend of await under.backends.list()) {
    // The mark that its capacity was given back stays until the sweep forgets it; it holds nothing.
    expect(backend.claims[volumeId]?.size ?? 0).toBe(0);
  }
}

async function allocated(zone: string): Promise<number> {
  const backend = (await under.backends.list()).find(({ availability_zone: of }) => of === zone);
  return backend?.allocated_capacity_gb ?? Number.NaN;
}

describe.concurrent("a volume that is deleted while it is created", () => {
  it("is removed with what its backend made, by its own flow", async () => {
    const volumeId = await create(MUTE);
    await reached(volumeId, isBeingCreated);
    expect(await allocated(MUTE)).toBe(1);
    expect(await clients.functions.deleteVolume(volumeId)).toBe("requested");
    expect((await under.volumes.get(volumeId)).status).toBe("creating");
    goOn(MUTE);
    await expectGone(volumeId);
    expect(await allocated(MUTE)).toBe(0);
    expect(await clients.functions.deleteVolume(volumeId)).toBe("deleted");
  });

  it("is removed out of the middle of an image's copy", async () => {
    const imageId = randomUUID();
    const image = {
      id: imageId,
      name: "disk",
      disk_format: "raw",
      container_format: "bare",
      min_disk: 0,
      min_ram: 0,
      owner: null,
      visibility: "public" as const,
      properties: {},
    };
    const bytes = async function* () {
      yield Buffer.alloc(1 << 20, 7);
    };
    await putImage(clients.s3, under.cloud.outputs["ImagesBucketName"] ?? "", image, bytes());
    const before = await allocated(HESITANT.copies);
    const volumeId = await create(HESITANT.copies, { imageId });
    await reached(volumeId, ({ progress }) => progress !== null && progress.bytes_done > 0);
    expect(await clients.functions.deleteVolume(volumeId)).toBe("requested");
    goOn(HESITANT.copies);
    await expectGone(volumeId);
    expect(await allocated(HESITANT.copies)).toBe(before);
  });

  it("is removed right after its request as well, wherever it is by then", async () => {
    const before = await allocated(HESITANT.makes);
    const volumeId = await create(HESITANT.makes);
    await clients.functions.deleteVolume(volumeId);
    await expectGone(volumeId);
    expect(await allocated(HESITANT.makes)).toBe(before);
  });
});

describe.concurrent("a source that is deleted while a volume is made of it", () => {
  it("a volume: is refused by the name of its clone, which becomes whole; then it may go", async () => {
    const source = await available(HESITANT.clones);
    const cloneId = await create(HESITANT.clones, { sourceVolumeId: source.id });
    await reached(cloneId, isBeingCreated);
    await expect(clients.functions.deleteVolume(source.id)).rejects.toThrow(
      `volume ${source.id} is being copied to volume ${cloneId}`,
    );
    goOn(HESITANT.clones);
    expect(await under.settled(cloneId)).toMatchObject({ status: "available", fault: null });
    expect(await clients.functions.deleteVolume(source.id)).toBe("deleted");
    await expectGone(source.id);
    expect(await clients.functions.deleteVolume(cloneId)).toBe("deleted");
  });

  it("a snapshot, and the volume behind it: both are refused, then both may go", async () => {
    const source = await available(HESITANT.restores);
    const { id: snapshotId } = await clients.functions.createSnapshot({
      snapshot_id: randomUUID(),
      volume_id: source.id,
      name: null,
      project_id: source.project_id,
      user_id: source.user_id,
    });
    const volumeId = await create(HESITANT.restores, { snapshotId });
    await reached(volumeId, isBeingCreated);
    await expect(clients.functions.deleteSnapshot(snapshotId)).rejects.toThrow(
      `snapshot ${snapshotId} is being copied to volume ${volumeId}`,
    );
    await expect(clients.functions.deleteVolume(source.id)).rejects.toThrow(`still has`);
    goOn(HESITANT.restores);
    expect(await under.settled(volumeId)).toMatchObject({ status: "available", fault: null });
    await clients.functions.deleteSnapshot(snapshotId);
    expect(await clients.functions.deleteVolume(source.id)).toBe("deleted");
  });
});
