import { PutItemCommand } from "@aws-sdk/client-dynamodb";
import { describe, expect, test } from "vitest";
import { volumeItem } from "../../adapters/dynamodb/volume-item.ts";
import { InvalidVolume, VolumeNotFound } from "../../core/errors.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { VolumesFake } from "../../simulation/stores/volumes.ts";
import { ownerOf, queuedVolume, runningAttempt } from "../support/records.ts";
import {
  DEADLINE,
  fault,
  HOST,
  isInIndex,
  NOW,
  owner,
  putBare,
  replaceWith,
  tables,
  useVolumes,
  volume,
  volumes,
} from "../support/volume-contract.ts";

useVolumes();

const next = (attempt = 2) => ownerOf(volume.id, attempt);
const requeue = (read: VolumeRecord, attempt = 2) => volumes.requeue(read, next(attempt), DEADLINE);

/** A volume in error before the scheduler had a host for it. */
async function errored(columns: Partial<VolumeRecord> = {}): Promise<VolumeRecord> {
  await replaceWith({ status: "error", phase: "queued", fault, ...columns });
  return volumes.get(volume.id);
}

describe("a requeue", () => {
  test("takes a volume in error into the flow for the next attempt", async () => {
    expect(await requeue(await errored())).toMatchObject({
      status: "creating",
      phase: "queued",
      fence: next().fence,
      host: null,
      fault: null,
      deadline: DEADLINE.toISOString(),
      updated_at: NOW.toISOString(),
    });
    expect(await isInIndex()).toBe(true);
  });

  test("keeps the ledger, and takes the host that the attempt before had", async () => {
    const attempts = { "1": { ...runningAttempt({ ...next(), attempt: 1 }, HOST), outcome: "error" as const } };
    const read = await errored({ host: HOST, phase: "scheduled", fence: "x-a1", attempts });
    const requeued = await requeue(read);
    expect(requeued).toMatchObject({ host: null, attempts });
  });

  test("leads to an attempt that can take the volume", async () => {
    await requeue(await errored());
    const assigned = await volumes.assignHost(next(), HOST, "nova", runningAttempt(next(), HOST), DEADLINE);
    expect(assigned).toMatchObject({ status: "creating", host: HOST, phase: "scheduled" });
  });

  test("of a volume without a ledger, as another service may have written it, works as well", async () => {
    await replaceWith({});
    await putBare({ id: { S: volume.id }, status: { S: "error" } });
    expect(await requeue(await volumes.get(volume.id))).toMatchObject({ status: "creating", fence: next().fence });
  });

  test("refuses the attempt before", async () => {
    await requeue(await errored());
    await expect(volumes.beginCreate(owner, DEADLINE)).rejects.toMatchObject({ name: "FenceLost" });
  });

  test("may be repeated", async () => {
    const read = await errored();
    await requeue(read);
    expect(await requeue(read)).toMatchObject({ fence: next().fence });
  });

  test.each<[string, Partial<VolumeRecord>]>([
    ["another fence", { fence: "other-a7" }],
    ["another status", { status: "available", fault: null }],
    ["a host", { host: HOST }],
    ["its deletion asked for", { delete_requested_at: NOW.toISOString() }],
  ])("changes nothing when the record has %s by now", async (_what, change) => {
    const read = await errored();
    await tables.client.send(new PutItemCommand({ TableName: "volumes", Item: volumeItem({ ...read, ...change }) }));
    await expect(requeue(read)).rejects.toThrow(InvalidVolume);
    expect(await volumes.get(volume.id)).toEqual({ ...read, ...change });
  });

  test("of a volume that does not exist is VolumeNotFound", async () => {
    const gone = queuedVolume();
    await expect(volumes.requeue(gone, ownerOf(gone.id), DEADLINE)).rejects.toThrow(VolumeNotFound);
  });

  test("does the same to the fake of the unit tests", async () => {
    const read = await errored({ provider_location: "/v", bootable: true, glance_metadata: { image_id: "i" } });
    const fake = new VolumesFake({ now: () => NOW });
    await fake.create(read);
    const made = await fake.requeue(read, next(), DEADLINE);
    expect(await requeue(read)).toEqual(made);
  });
});
