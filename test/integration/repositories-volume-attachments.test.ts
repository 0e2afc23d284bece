import { describe, expect, it } from "vitest";
import {
  attach,
  beginDetaching,
  changeAttachments,
  createAttachment,
  detach,
  reserve,
} from "../../core/volumes/attachments.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import type { DynamoDb } from "../../adapters/dynamodb/table.ts";
import { NOW, replaceWith, tables, useVolumes, volume, volumes, DEADLINE } from "../support/volume-contract.ts";

useVolumes();

const at = { instanceUuid: "instance", hostName: null, mountpoint: "/dev/vdb", mode: "rw", at: NOW };

describe("a change of attachments", () => {
  it("writes status, attachments and modes at once, and removes what is empty", async () => {
    await replaceWith({ status: "available" });
    const attached = await changeAttachments(volumes, volume, attach({ attachmentId: "one", ...at }));
    expect(attached).toMatchObject({
      status: "in-use",
      attach_status: "attached",
      attached_mode: "rw",
      readonly: false,
      attach_revision: expect.any(Number) as number,
      attachments: { one: { attach_status: "attached", instance_uuid: "instance", connection_info: null } },
    });
    const detached = await changeAttachments(volumes, attached, detach(null));
    expect(detached).toMatchObject({ status: "available", readonly: false });
    expect(detached.attach_revision).not.toBe(attached.attach_revision);
    for (const column of ["attachments", "attach_status", "attached_mode"]) {
      expect(detached).not.toHaveProperty(column);
    }
  });

  it("is decided again when another change was faster, so that one of many reserves the volume", async () => {
    await replaceWith({ status: "available" });
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, () => changeAttachments(volumes, volume, reserve)),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await volumes.get(volume.id)).toMatchObject({ status: "attaching" });
  });

  it.each([
    ["reserves", "available", reserve, "attaching"],
    ["begins to detach", "in-use", beginDetaching, "detaching"],
  ] as const)(
    "%s also when the answer is lost and the SDK sends the write again",
    async (_what, status, decide, then) => {
      await replaceWith({ status, ...(status === "in-use" && { attach_status: "attached" }) });
      const twice = new DynamoDbVolumeRepository({
        client: {
          send: (async (command: { constructor: { name: string } }) => {
            const answer: unknown = await tables.client.send(command as never);
            return command.constructor.name === "UpdateItemCommand" ? tables.client.send(command as never) : answer;
          }) as DynamoDb["send"],
        },
        tableName: "volumes",
        clock: { now: () => NOW },
      });
      const asRead = await volumes.get(volume.id);
      expect(await changeAttachments(twice, asRead, decide)).toMatchObject({ status: then });
      await expect(changeAttachments(twice, asRead, decide)).rejects.toMatchObject({ name: "InvalidVolume" });
    },
  );

  it("repeated after a lost answer finds what the first call wrote", async () => {
    await replaceWith({ status: "available" });
    const request = { attachmentId: "one", instanceUuid: null, mode: null, connection: null, at: NOW };
    const first = await changeAttachments(volumes, volume, createAttachment(request));
    expect(await changeAttachments(volumes, volume, createAttachment(request))).toEqual(first);
  });

  it("writes nothing when the status is no longer as it was read", async () => {
    await replaceWith({ status: "available" });
    await volumes.beginDelete(volume, DEADLINE);
    expect(await volumes.changeAttachments(volume, { status: "attaching" })).toBeUndefined();
    expect(await volumes.get(volume.id)).toMatchObject({ status: "deleting" });
  });

  it("of a volume that does not exist is refused", async () => {
    await expect(volumes.changeAttachments({ ...volume, id: "none" }, {})).rejects.toMatchObject({
      name: "VolumeNotFound",
    });
  });
});

describe("the deletion of a volume", () => {
  it("is refused while the volume is attached, whatever its status says", async () => {
    await replaceWith({ status: "error", attach_status: "attached" });
    await expect(volumes.beginDelete(volume, DEADLINE)).rejects.toMatchObject({ name: "InvalidVolume" });
    await replaceWith({ status: "error", attach_status: "reserved" });
    await expect(volumes.beginDelete(volume, DEADLINE)).resolves.toMatchObject({ status: "deleting" });
  });
});
