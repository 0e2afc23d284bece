import { GetItemCommand, type UpdateItemCommand, type UpdateItemCommandInput } from "@aws-sdk/client-dynamodb";
import { describe, expect, it } from "vitest";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import type { VolumeRepository } from "../../core/ports.ts";
import type { WriteFault } from "../../verify/conformance/cases.ts";
import { isHit, writtenBy } from "../../verify/conformance/inject/record-writes.ts";

const OWNER = { volumeId: "v", fence: "v-a1", attempt: 1 };
const NEXT = { volumeId: "v", fence: "v-a2", attempt: 2 };
const NOW = new Date("2026-01-01T00:00:00Z");
const FAULT = { error: "DBError", cause: "boom", attempt: 1, at: NOW.toISOString(), attempts: [] };
const CLOSE = { outcome: "rescheduled", error: "DBError", cause: "boom", at: NOW, suspectedOrphan: false } as const;

/** The writes of a method of the real repository. */
async function writtenIn(method: (volumes: VolumeRepository) => Promise<unknown>): Promise<Record<string, unknown>> {
  let input: UpdateItemCommandInput | undefined;
  const send = async (command: UpdateItemCommand | GetItemCommand) => {
    if (!(command instanceof GetItemCommand)) {
      input ??= command.input;
    }
    return { Attributes: { id: { S: "v" }, size: { N: "1" }, status: { S: "creating" } }, $metadata: {} };
  };
  const client = { send: send as never };
  await method(new DynamoDbVolumeRepository({ client, tableName: "volumes", clock: { now: () => NOW } }));
  return writtenBy(input ?? { TableName: "", Key: {} });
}

describe("what a write of the repository writes is read out of its update", () => {
  it.each<[string, (volumes: VolumeRepository) => Promise<unknown>, Record<string, unknown>]>([
    [
      "markAvailable",
      (volumes) => volumes.markAvailable(OWNER, "available", NOW, { provider_location: "here" }),
      { status: "available", launched_at: NOW.toISOString(), provider_location: "here", phase: null },
    ],
    ["markError", (volumes) => volumes.markError(OWNER, FAULT), { status: "error" }],
    [
      "markBootable",
      (volumes) => volumes.markBootable(OWNER, { a: "b" }),
      { bootable: true, glance_metadata: { a: "b" } },
    ],
    [
      "persistModelUpdate",
      (volumes) => volumes.persistModelUpdate(OWNER, { provider_location: "here" }, "copying", "downloading"),
      { status: "downloading", provider_location: "here", phase: "copying" },
    ],
    [
      "releaseForReschedule",
      (volumes) => volumes.releaseForReschedule(OWNER, NEXT, CLOSE, NOW),
      { status: "creating", host: null, scheduled_at: NOW.toISOString(), bootable: false, provider_location: null },
    ],
  ])("of %s", async (_name, method, columns) => {
    expect(await writtenIn(method)).toMatchObject(columns);
  });

  it("and what lies below an attribute is not", async () => {
    const written = await writtenIn((volumes) => volumes.markError(OWNER, FAULT));
    expect(Object.keys(written)).not.toContain("outcome");
    expect(Object.keys(written)).not.toContain("error");
  });
});

describe("a failing write", () => {
  const update = (match?: string): WriteFault => ({ op: "volume_update", raise: "DBError", ...(match && { match }) });

  it.each<[string, WriteFault, Record<string, unknown>, boolean]>([
    ["is hit by its column", update("provider_location"), { provider_location: "x" }, true],
    ["is hit by its column with its value", update("status=available"), { status: "available" }, true],
    ["is hit by a column that is removed", update("host"), { host: null }, true],
    ["reads values as Python writes them", update("bootable=True"), { bootable: true }, true],
    ["is not hit by another value", update("status=available"), { status: "error" }, false],
    ["is not hit by another column", update("status=available"), { launched_at: "now" }, false],
    ["without a match is hit by any column of Cinder's", update(), { status: "error", phase: "queued" }, true],
    ["is not hit by a write that Cinder has no counterpart of", update(), { phase: "creating", deadline: "x" }, false],
  ])("%s", (_what, fault, written, hit) => {
    expect(isHit(fault, "raw", written)).toBe(hit);
  });

  it.each([
    ["volume_glance_metadata_copy_to_volume", "snap", true],
    ["volume_glance_metadata_copy_to_volume", "source_vol", false],
    ["volume_glance_metadata_copy_from_volume_to_volume", "source_vol", true],
    ["volume_glance_metadata_bulk_create", "image", true],
    ["volume_glance_metadata_create", "image", true],
    ["volume_glance_metadata_bulk_create", "snap", false],
  ] as const)("of the operation %s for %s: %s", (op, type, hit) => {
    const fault = { op, raise: "DBError" } as const;
    expect(isHit(fault, type, { bootable: true, glance_metadata: { a: "b" } })).toBe(hit);
    expect(isHit(fault, type, { bootable: false, glance_metadata: {} })).toBe(false);
  });
});
