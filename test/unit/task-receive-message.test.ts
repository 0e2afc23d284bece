import { describe, expect, it } from "vitest";
import { fenceOf, type VolumeRecord } from "../../core/records.ts";
import { readMessage, receiveMessage } from "../../core/scheduling/receive-message.ts";
import { aMessage, aVolume, aVolumeInFlow, aWorld, VOLUME_ID } from "../support/builders.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import { CONTEXT, START, type World } from "../support/fakes/world.ts";

async function receive(world: World, body: string) {
  const read = readMessage(body);
  const volume = read.volumeId === undefined ? undefined : world.fakes.volumes.records.get(read.volumeId);
  return receiveMessage(world.deps, read, volume && structuredClone(volume));
}

const text = (keys: Record<string, unknown> = {}): string => JSON.stringify(aMessage(keys));
const UNREADABLE = text({ snapshot_id: "no-uuid" });
const recordOf = (of: World) => of.fakes.volumes.get(VOLUME_ID);

describe("reading a message", () => {
  it("drops every key of the context that is not known, such as a token", () => {
    const read = readMessage(text({ context: { ...CONTEXT, auth_token: "secret", service_catalog: [] } }));
    expect("message" in read && read.message.context).toEqual(CONTEXT);
  });

  it("keeps unknown keys of the request spec and the filter properties", () => {
    const read = readMessage(text({ request_spec: { new_key: 1 }, filter_properties: { other: 2 } }));
    expect(read).toMatchObject({ message: { request_spec: { new_key: 1 }, filter_properties: { other: 2 } } });
  });

  it("takes null for what is not given", () => {
    const { context, volume_id } = aMessage();
    expect(readMessage(JSON.stringify({ context, volume_id }))).toMatchObject({
      message: { image_id: null, snapshot_id: null, source_volid: null, request_spec: null, filter_properties: null },
    });
  });

  it.each([
    ["no JSON", "{", "not valid JSON"],
    ["empty", "", "not valid JSON"],
    ["null", "null", "message"],
    ["a list", "[]", "message"],
    ["without a volume", text({ volume_id: undefined }), "volume_id"],
    ["with a volume that is not a UUID", text({ volume_id: "../x" }), "volume_id must be a UUID"],
    ["with a number for a volume", text({ volume_id: 7 }), "volume_id must be a string"],
    ["of nothing", "{}", "message: context is missing; volume_id is missing"],
    ["that is null", "null", "message: it must be an object, not null"],
    ["with a text for a spec", text({ request_spec: "x" }), "request_spec must be an object, not a string"],
    ["with a snapshot that is not a UUID", UNREADABLE, "snapshot_id must be a UUID"],
    ["with a source that is not a UUID", text({ source_volid: "x" }), "source_volid must be a UUID"],
    ["with an image that is not a string", text({ image_id: { a: 1 } }), "image_id"],
    ["without a context", text({ context: undefined }), "context"],
    ["with roles that are not a list", text({ context: { roles: "admin" } }), "context.roles"],
  ])("says what is wrong with one that is %s", (_what, body, reason) => {
    const read = readMessage(body);
    expect("reason" in read && read.reason).toContain(reason);
    expect("reason" in read && read.reason).not.toContain("\n");
  });

  it.each([
    ["the context", text({ context: JSON.stringify({ auth_token: "gAAAAAB-token" }) })],
    ["the roles", text({ context: { roles: "gAAAAAB-token" } })],
    ["the request spec", text({ request_spec: "gAAAAAB-token" })],
    ["the whole message", JSON.stringify("gAAAAAB-token")],
    ["the name of a secret", text({ context: { auth_secret: "gAAAAAB-token" } })],
    ["a volume's id", text({ volume_id: "gAAAAAB-token" })],
  ])("does not show the text in place of %s, which may be a token", (_what, body) => {
    const read = readMessage(body);
    expect("reason" in read && read.reason).toMatch(/string|must be/);
    expect("reason" in read && read.reason).not.toContain("gAAAAAB");
  });

  it("names every field that is wrong at once", () => {
    const read = readMessage(text({ snapshot_id: "x", source_volid: "y" }));
    expect("reason" in read && read.reason).toMatch(/snapshot_id.*source_volid/);
  });

  it("still finds the volume that an unreadable message names", () => {
    expect(readMessage(UNREADABLE).volumeId).toBe(VOLUME_ID);
    expect(readMessage("{").volumeId).toBeUndefined();
  });
});

describe("a message that cannot be read", () => {
  it("goes to the dead letters with the reason, and its volume to error", async () => {
    const world = aWorld(aVolume());
    expect(await receive(world, UNREADABLE)).toMatchObject({ outcome: "error" });
    expect(world.deadLetters).toEqual([{ body: UNREADABLE, reason: expect.stringContaining("snapshot_id") }]);
    expect(await recordOf(world)).toMatchObject({ status: "error", fault: { error: "InvalidInput", attempt: 1 } });
    expect(world.notifications).toMatchObject([{ event_type: "volume.create.error" }]);
  });

  it("goes to the dead letters also when it names no volume", async () => {
    const world = aWorld(aVolume());
    await receive(world, "garbage");
    expect(world.deadLetters).toMatchObject([{ body: "garbage" }]);
    expect((await recordOf(world)).status).toBe("creating");
  });

  it("after earlier attempts, ends in a fault that names them", async () => {
    const attempts = {
      1: { host: "h", execution: "e", started_at: START, outcome: "rescheduled" as const, error: "E", cause: "c" },
    };
    const world = aWorld(aVolume({ fence: fenceOf(VOLUME_ID, 2), attempts }));
    await receive(world, UNREADABLE);
    expect((await recordOf(world)).fault).toMatchObject({ attempt: 2, attempts: ["attempt 1 on h: E: c"] });
  });

  it.each<[string, VolumeRecord]>([
    ["a workflow runs", aVolumeInFlow()],
    ["the volume is available", aVolumeInFlow({ status: "available", phase: null, deadline: null })],
    ["the volume is in error on a host", aVolumeInFlow({ status: "error", deadline: null })],
  ])("leaves the volume alone when %s", async (_when, volume) => {
    const world = aWorld(volume);
    await receive(world, UNREADABLE);
    expect(await recordOf(world)).toEqual(volume);
    expect(world.deadLetters).toHaveLength(1);
  });

  it("dead at any call and delivered again, ends the same", async () => {
    const deaths = await expectSameAfterAnyDeath(
      () => aWorld(aVolume()),
      (world) => receive(world, UNREADABLE),
    );
    expect(deaths).toBe(8);
  });

  it("comes again when its dead letter could not be sent: the volume is not touched before", async () => {
    const world = aWorld(aVolume());
    world.faults.fail("queue.sendToDeadLetters", new Error("throttled"));
    await expect(receive(world, UNREADABLE)).rejects.toThrow("throttled");
    expect((await recordOf(world)).status).toBe("creating");
  });
});

it("a message of a volume that does not exist goes to the dead letters", async () => {
  const world = aWorld();
  expect(await receive(world, text())).toMatchObject({ outcome: "error" });
  expect(world.deadLetters).toEqual([{ body: text(), reason: `Volume ${VOLUME_ID} could not be found.` }]);
});

it("a good message is scheduled", async () => {
  const world = aWorld(aVolume());
  expect(await receive(world, text())).toMatchObject({ outcome: "scheduled" });
  expect(world.deadLetters).toEqual([]);
});
