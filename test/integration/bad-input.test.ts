import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildCreateRequest, type CreateRequestInput } from "../../core/requests/create-request.ts";
import type { CreateVolumeMessage } from "../../core/requests/messages.ts";
import { type CinderlessUnderTest, startUnderTest } from "../support/local-cinderless.ts";

let under: CinderlessUnderTest;

beforeAll(async () => {
  under = await startUnderTest();
});

afterAll(async () => {
  await under.stop();
});

/** Nothing of the volume is on a backend, and no capacity is held for it. */
async function expectNothingLeft(volumeId: string): Promise<void> {
  expect(under.files().filter((name) => name.includes(volumeId))).toEqual([]);
  // The record reads `error` a moment before its claim is closed. The entry of a closed claim stays on the backend until the next report.
  const hosts = (await under.backends.list()).map(({ host }) => host);
  await expect
    .poll(async () => {
      const open = await Promise.all(hosts.map((host) => under.backends.openClaims(host)));
      return open.flat().filter(({ volumeId: of }) => of === volumeId);
    })
    .toEqual([]);
}

/** The stored form of a text that is not a message: none of its words, because any may be a secret. */
function keptOf(sent: string, structure: string): string {
  const hash = createHash("sha256").update(sent).digest("hex");
  return `${Buffer.byteLength(sent)} bytes that are not a message, SHA-256 ${hash}, beginning with: ${structure}`;
}

describe("a message that cannot be read", () => {
  it("goes to the dead letters with the reason", async () => {
    await under.send("{ no JSON");
    const [letter] = await under.deadLetters(1);
    expect(letter).toMatchObject({
      body: keptOf("{ no JSON", "{ *** ***"),
      reason: expect.stringContaining("Invalid input received: the message is not valid JSON ("),
    });
  });

  it("puts the volume that it names in error with the reason", async () => {
    const volumeId = await under.create({ sizeGib: 1 }, (message) => ({ ...message, snapshot_id: "not-a-uuid" }));
    const volume = await under.settled(volumeId);
    expect(volume).toMatchObject({ status: "error", host: null, fault: { error: "InvalidInput" } });
    expect(volume.fault?.cause).toContain("snapshot_id must be a UUID");
    expect((await under.deadLetters(1))[0]?.reason).toContain("snapshot_id must be a UUID");
  });

  it("loses none of the other messages", async () => {
    const sends = [
      under.create({ sizeGib: 1 }),
      under.send("[]"),
      under.create({ sizeGib: 1 }),
      under.send('{"volume_id":"../../etc/passwd"}'),
      under.create({ sizeGib: 1 }),
    ];
    const ids = (await Promise.all(sends)).filter((id) => id !== undefined);
    const volumes = await Promise.all(ids.map((id) => under.settled(id)));
    expect(volumes.map(({ status }) => status)).toEqual(["available", "available", "available"]);
    const letters = await under.deadLetters(2);
    expect(letters.map(({ body }) => body).toSorted()).toEqual([
      keptOf("[]", "[]"),
      '{"volume_id":"../../etc/passwd"}',
    ]);
  });

  it("is a dead letter, too, when it names a volume that does not exist", async () => {
    const volumeId = randomUUID();
    await under.send(JSON.stringify({ context: {}, volume_id: volumeId }));
    expect((await under.deadLetters(1))[0]?.reason).toBe(`Volume ${volumeId} could not be found.`);
  });
});

describe("a request for what is not there", () => {
  const missing = randomUUID();

  it.each<[string, CreateRequestInput, string]>([
    ["a snapshot", { sizeGib: 1, snapshotId: missing }, "SnapshotNotFound"],
    ["a source volume", { sizeGib: 1, sourceVolumeId: missing }, "VolumeNotFound"],
    ["an image", { sizeGib: 1, imageId: missing }, "ImageNotFound"],
  ])("%s: a final error that names it, at the first attempt", async (_what, input, error) => {
    const volume = await under.settled(await under.create(input));
    expect(volume).toMatchObject({ status: "error", fault: { error, attempt: 1, attempts: [] } });
    expect(volume.fault?.cause).toContain(missing);
    await expectNothingLeft(volume.id);
  });

  it("a volume type", async () => {
    const volumeType = {
      id: missing,
      name: "gone",
      extra_specs: {},
      description: null,
      is_public: true,
      created_at: "",
    };
    const withoutSpecs = (message: CreateVolumeMessage) => ({ ...message, request_spec: { volume_type: null } });
    const volume = await under.settled(await under.create({ sizeGib: 1, volumeType }, withoutSpecs));
    expect(volume).toMatchObject({ status: "error", fault: { error: "VolumeTypeNotFound" } });
    expect(volume.fault?.cause).toContain(missing);
    await expectNothingLeft(volume.id);
  });

  it("an image reference that leads elsewhere", async () => {
    const href = "http://169.254.169.254/latest/meta-data";
    const volume = await under.settled(await under.create({ sizeGib: 1, imageId: href }));
    expect(volume.fault).toMatchObject({ error: "InvalidImageRef", cause: expect.stringContaining(href) });
    await expectNothingLeft(volume.id);
  });
});

describe("a source", () => {
  it("that is larger than the volume is refused", async () => {
    const source = await under.settled(await under.create({ sizeGib: 2 }));
    const volume = await under.settled(await under.create({ sizeGib: 1, sourceVolumeId: source.id }));
    expect(volume.fault).toMatchObject({ error: "InvalidInput", cause: expect.stringContaining(source.id) });
    await expectNothingLeft(volume.id);
  });

  it("of another project is as if it did not exist", async () => {
    const source = await under.settled(await under.create({ sizeGib: 1, projectId: "theirs" }));
    const volume = await under.settled(
      await under.create({ sizeGib: 1, projectId: "ours", sourceVolumeId: source.id }),
    );
    expect(volume.fault).toMatchObject({
      error: "VolumeNotFound",
      cause: `Volume ${source.id} could not be found.`,
    });
    await expectNothingLeft(volume.id);
  });

  it("is outdone by a snapshot, and outdoes an image, when a message names several", async () => {
    const source = await under.settled(await under.create({ sizeGib: 1 }));
    const everything = { source_volid: source.id, image_id: randomUUID() };
    const clone = await under.settled(
      await under.create({ sizeGib: 1, sourceVolumeId: source.id }, (message) => ({ ...message, ...everything })),
    );
    expect(clone.status).toBe("available");
    const snapshotId = randomUUID();
    const volume = await under.settled(
      await under.create({ sizeGib: 1, snapshotId }, (message) => ({ ...message, ...everything })),
    );
    expect(volume.fault).toMatchObject({ error: "SnapshotNotFound", cause: expect.stringContaining(snapshotId) });
  });
});

describe("a size", () => {
  it.each([0, -1, 1.5])("of %d GiB is refused", async (size) => {
    const ids = { volumeId: randomUUID(), requestId: "req-size" };
    const { record, message } = buildCreateRequest({ sizeGib: 1 }, new Date(), ids);
    await under.volumes.create({ ...record, size });
    await under.send(JSON.stringify(message));
    const volume = await under.settled(record.id);
    expect(volume.fault).toMatchObject({ error: "InvalidInput", cause: expect.stringContaining(String(size)) });
    await expectNothingLeft(volume.id);
  });
});
