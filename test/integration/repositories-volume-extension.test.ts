import { describe, expect, test } from "vitest";
import { FenceLost, VolumeDeleteRequested } from "../../core/errors.ts";
import { ownerOf, queuedVolume } from "../support/records.ts";
import { DEADLINE, HOST, NOW, owner, replaceWith, useVolumes, volume, volumes } from "../support/volume-contract.ts";

useVolumes();

const EXTENSION = { id: "one", number: 1, size: 9, previous_status: "available", started_at: "x" } as const;
const EXTENDED = { outcome: "extended", status: "available", size: 9, at: NOW } as const;
const CLAIMED_AT = "2026-01-01T00:30:00.000Z";

async function extending(): Promise<void> {
  await replaceWith({ status: "available" });
  await volumes.beginExtend(volume, EXTENSION, DEADLINE);
}

describe("an extension", () => {
  test("of another number changes nothing, and the error says which one the volume has", async () => {
    await extending();
    const before = await volumes.get(volume.id);
    const lost = /extension 2.*it is extending and has extension 1/;
    const writes = [
      () => volumes.keepExtensionClaim(volume.id, 2, CLAIMED_AT),
      () => volumes.endExtend(volume.id, 2, EXTENDED),
    ];
    for (const write of writes) {
      await expect(write()).rejects.toBeInstanceOf(FenceLost);
      await expect(write()).rejects.toThrow(lost);
    }
    expect(await volumes.get(volume.id)).toEqual(before);
  });

  test("of a volume that was never extended is refused with that reason", async () => {
    await replaceWith({ status: "available" });
    await expect(volumes.endExtend(volume.id, 1, EXTENDED)).rejects.toThrow("it is available and was never extended");
  });

  test("ends once: its end may arrive again, its claim may not", async () => {
    await extending();
    await volumes.keepExtensionClaim(volume.id, 1, CLAIMED_AT);
    const ended = await volumes.endExtend(volume.id, 1, EXTENDED);
    expect(ended).toMatchObject({ status: "available", size: 9, extension: { claimed_at: CLAIMED_AT } });
    expect(await volumes.endExtend(volume.id, 1, EXTENDED)).toEqual(ended);
    await expect(volumes.keepExtensionClaim(volume.id, 1, CLAIMED_AT)).rejects.toThrow(
      "it is available and has extension 1",
    );
  });
});

describe("a write of an attempt after the request for the volume's deletion", () => {
  const columns = { deadline: DEADLINE.toISOString(), phase: "creating", host: HOST } as const;

  test("says to the owner that deletion was requested, and to others that they are not the owner", async () => {
    const id = queuedVolume().id;
    await replaceWith({ ...columns, id, fence: ownerOf(id).fence });
    await volumes.requestDelete(volume.id, DEADLINE);
    await expect(volumes.beginCreate(owner, DEADLINE)).rejects.toBeInstanceOf(VolumeDeleteRequested);
    await expect(volumes.beginCreate(ownerOf(volume.id, 7), DEADLINE)).rejects.toBeInstanceOf(FenceLost);
  });
});
