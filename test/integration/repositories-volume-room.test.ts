import { PutItemCommand } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { describe, expect, test } from "vitest";
import { volumeItem } from "../../adapters/dynamodb/volume-item.ts";
import { LARGEST_RECORD_BYTES, LEDGER_ATTEMPTS, recordBytes } from "../../core/requests/byte-budget.ts";
import type { Attempt, VolumeRecord } from "../../core/records.ts";
import { ownerOf, queuedVolume, runningAttempt } from "../support/records.ts";
import {
  DEADLINE,
  HOST,
  NOW,
  close,
  fault,
  owner,
  replaceWith,
  tables,
  useVolumes,
  volume,
  volumes,
} from "../support/volume-contract.ts";

useVolumes();

const FLOW = { deadline: DEADLINE.toISOString() } as const;

function closedLine(number: number): Attempt {
  const by = ownerOf(volume.id, number);
  return { ...runningAttempt(by, HOST), outcome: "error", ended_at: NOW.toISOString(), error: "E", cause: "c" };
}

function ledger(count: number): VolumeRecord["attempts"] {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [index + 1, closedLine(index + 1)]));
}

/** Puts a volume that leaves so many bytes of its item, as another service could. */
async function putFull(columns: Partial<VolumeRecord>, left: number): Promise<VolumeRecord> {
  const bare = queuedVolume({ metadata: {}, ...columns });
  const item = volumeItem({ ...bare, metadata: { ...bare.metadata, filler: "" } });
  const filler = "x".repeat(LARGEST_RECORD_BYTES - left - recordBytes(unmarshall(item)));
  const full = { ...bare, metadata: { ...bare.metadata, filler } };
  await tables.client.send(new PutItemCommand({ TableName: "volumes", Item: volumeItem(full) }));
  return full;
}

describe("the ledger of a record", () => {
  test("keeps its first and its newest lines, and numbers on, when attempts are added without end", async () => {
    await replaceWith({ ...FLOW, phase: "queued" });
    const { id } = volume;
    for (let number = 1; number <= LEDGER_ATTEMPTS + 8; number += 1) {
      const by = ownerOf(id, number);
      await volumes.assignHost(by, HOST, "nova", runningAttempt(by, HOST), DEADLINE);
      await volumes.markError(by, { ...fault, attempt: number });
      await volumes.requeue(await volumes.get(id), ownerOf(id, number + 1), DEADLINE);
    }
    const { attempts, dropped } = await volumes.get(id);
    const numbers = Object.keys(attempts)
      .map(Number)
      .toSorted((one, other) => one - other);
    expect(numbers).toHaveLength(LEDGER_ATTEMPTS);
    expect(numbers.slice(0, 2)).toEqual([1, 10]);
    expect(numbers.at(-1)).toBe(LEDGER_ATTEMPTS + 8);
    expect(dropped).toEqual({ attempts: 8 });
  });

  test("drops a line once when the same delivery assigns its host twice", async () => {
    await replaceWith({ ...FLOW, phase: "queued", attempts: ledger(LEDGER_ATTEMPTS) });
    const by = ownerOf(volume.id, LEDGER_ATTEMPTS + 1);
    const first = await volumes.assignHost(by, HOST, "nova", runningAttempt(by, HOST), DEADLINE);
    expect(await volumes.assignHost(by, HOST, "nova", runningAttempt(by, HOST), DEADLINE)).toEqual(first);
    expect(first.dropped).toEqual({ attempts: 1 });
    expect(Object.keys(first.attempts)).toHaveLength(LEDGER_ATTEMPTS);
  });

  test("drops a line for an attempt that ends before it has a host", async () => {
    await replaceWith({ ...FLOW, phase: "queued", attempts: ledger(LEDGER_ATTEMPTS) });
    const mine = ownerOf(volume.id, LEDGER_ATTEMPTS + 1);
    await volumes.requeue(await volumes.get(volume.id), mine, DEADLINE);
    const ended = await volumes.markError(mine, { ...fault, attempt: mine.attempt });
    expect(Object.keys(ended.attempts)).toHaveLength(LEDGER_ATTEMPTS);
    expect(ended.dropped).toEqual({ attempts: 1 });
  });
});

describe("a record of almost 400 KB that another service has put", () => {
  test.each([0, 1, 60])("ends in error by its attempt with %i bytes left", async (left) => {
    const by = owner;
    const columns = { id: by.volumeId, ...FLOW, phase: "creating", host: HOST, fence: by.fence } as const;
    await putFull({ ...columns, attempts: { 1: runningAttempt(by, HOST) } }, left);
    const ended = await volumes.markError(by, fault);
    expect(ended).toMatchObject({ status: "error", fault, deadline: null, dropped: { columns: ["metadata"] } });
    expect(await volumes.markError(by, fault)).toEqual(ended);
  });

  test("ends in error without a ledger", async () => {
    const columns = { id: owner.volumeId, ...FLOW, phase: "creating", host: HOST, fence: owner.fence } as const;
    await putFull(columns, 0);
    expect(await volumes.markError(owner, fault)).toMatchObject({ status: "error", fault });
  });

  test("ends in error before any attempt", async () => {
    const { id } = await putFull({ id: volume.id, ...FLOW, phase: "queued" }, 0);
    expect(await volumes.markUnschedulable(id, null, fault)).toMatchObject({ status: "error", fault });
  });

  test("gives up its request and older attempts rather than what its user said", async () => {
    const request = { request_id: "r".repeat(10_000), roles: [] };
    const columns = {
      id: owner.volumeId,
      ...FLOW,
      phase: "creating",
      host: HOST,
      fence: owner.fence,
      request,
    } as const;
    const attempts = Object.fromEntries(
      Object.entries(ledger(LEDGER_ATTEMPTS)).map(([number, line]) => [number, { ...line, cause: "c".repeat(500) }]),
    );
    const { metadata } = await putFull({ ...columns, attempts: { ...attempts, 1: runningAttempt(owner, HOST) } }, 10);
    const ended = await volumes.markError(owner, fault);
    expect(ended.metadata).toEqual(metadata);
    expect(ended.request).toBeUndefined();
    expect(ended.dropped?.columns).toEqual(["request"]);
    expect(ended.dropped?.attempts).toBeGreaterThan(0);
  });

  test("becomes available", async () => {
    const columns = { id: owner.volumeId, ...FLOW, phase: "created", host: HOST, fence: owner.fence } as const;
    await putFull({ ...columns, attempts: { 1: runningAttempt(owner, HOST) } }, 0);
    expect(await volumes.markAvailable(owner, "available", NOW, {})).toMatchObject({ status: "available" });
  });

  test("is deleted, and its failed deletion is kept", async () => {
    const full = await putFull({ id: volume.id, status: "available", phase: null, deadline: null, host: HOST }, 0);
    const { id } = full;
    expect(await volumes.beginDelete(full, DEADLINE)).toMatchObject({ status: "deleting" });
    await volumes.markErrorDeleting(id, null, fault);
    expect(await volumes.get(id)).toMatchObject({ status: "error_deleting", fault });
  });

  test("takes the request for its deletion while it is created", async () => {
    const { id } = await putFull({ id: volume.id, ...FLOW, phase: "creating" }, 0);
    expect(await volumes.requestDelete(id, DEADLINE)).toMatchObject({ delete_requested_at: NOW.toISOString() });
    expect(await volumes.beginRequestedDelete(id, null, DEADLINE)).toMatchObject({ status: "deleting" });
  });

  test("gets a host, and goes to another one, for older attempts and not for what its user said", async () => {
    const number = 20;
    const by = ownerOf(volume.id, number);
    const columns = { id: volume.id, ...FLOW, phase: "queued", attempts: ledger(number - 1) } as const;
    const { metadata } = await putFull(columns, 10);
    const assigned = await volumes.assignHost(by, HOST, "nova", runningAttempt(by, HOST), DEADLINE);
    expect(assigned).toMatchObject({ fence: by.fence, host: HOST, metadata });
    expect(assigned.dropped?.attempts).toBeGreaterThan(0);
    expect(await volumes.assignHost(by, HOST, "nova", runningAttempt(by, HOST), DEADLINE)).toEqual(assigned);

    await putFull({ ...assigned, metadata: {}, attempts: { ...ledger(number - 1), ...assigned.attempts } }, 10);
    const next = ownerOf(volume.id, number + 1);
    const released = await volumes.releaseForReschedule(by, next, close, DEADLINE);
    expect(released).toMatchObject({ fence: next.fence, host: null });
    expect(released.attempts[number]).toMatchObject({ outcome: "rescheduled", error: close.error });
    expect(released.metadata).toHaveProperty("filler");
  });

  test("refuses a host, and another one, by name where no older attempt is left to go", async () => {
    const full = new RegExp(`the record of volume ${volume.id} has no room left in its ${LARGEST_RECORD_BYTES} bytes`);
    await putFull({ id: volume.id, ...FLOW, phase: "queued" }, 10);
    const assigning = volumes.assignHost(owner, HOST, "nova", runningAttempt(owner, HOST), DEADLINE);
    await expect(assigning).rejects.toThrow(full);
    await expect(assigning).rejects.toMatchObject({ name: "InvalidInput" });
    const columns = { id: volume.id, ...FLOW, phase: "creating", host: HOST, fence: owner.fence } as const;
    const before = await putFull({ ...columns, attempts: { 1: runningAttempt(owner, HOST) } }, 10);
    await expect(volumes.releaseForReschedule(owner, ownerOf(volume.id, 2), close, DEADLINE)).rejects.toThrow(full);
    expect(await volumes.get(volume.id)).toEqual(before);
  });
});
