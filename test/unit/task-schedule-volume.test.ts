import { describe, expect, it } from "vitest";
import { FenceLost, InvalidInput } from "../../core/errors.ts";
import { parseCreateVolumeMessage } from "../../core/requests/messages.ts";
import { type BackendRecord, fenceOf, type VolumeRecord } from "../../core/records.ts";
import { scheduleVolume } from "../../core/scheduling/schedule-volume.ts";
import {
  aMessage,
  aSnapshot,
  aSource,
  aVolume,
  aVolumeInFlow,
  aWorld,
  FIRST_HOST,
  SECOND_HOST,
  SNAPSHOT_ID,
  SOURCE_ID,
  VOLUME_ID,
} from "../support/builders.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import { CONTEXT, START, type World } from "../support/fakes/world.ts";
import { plainVolumeType } from "../support/records.ts";

/** One delivery of a message: the volume is read, then scheduled. */
async function deliver(world: World, keys: Record<string, unknown> = {}) {
  const volume = await world.fakes.volumes.get(VOLUME_ID);
  return scheduleVolume(world.deps, parseCreateVolumeMessage(JSON.stringify(aMessage(keys))), volume);
}

const queued = (columns: Partial<VolumeRecord> = {}): World => aWorld(aVolume(columns));
const recordOf = (of: World) => of.fakes.volumes.get(VOLUME_ID);
function figures(of: World, host: string = FIRST_HOST): BackendRecord {
  const backend = of.fakes.backends.records.get(host);
  if (backend === undefined) {
    throw new Error(`no backend ${host}`);
  }
  return backend;
}

const openClaims = (of: World) =>
  [...of.fakes.backends.records.keys()]
    .map((host) => of.fakes.backends.seen(host))
    .flatMap(({ claims }) => Object.keys(claims));

describe("a message that is delivered", () => {
  it("claims a backend, gives the volume its host, and starts its execution", async () => {
    const world = queued();
    expect(await deliver(world)).toEqual({ outcome: "scheduled", detail: FIRST_HOST });
    expect(await recordOf(world)).toMatchObject({
      status: "creating",
      host: FIRST_HOST,
      availability_zone: "nova",
      fence: fenceOf(VOLUME_ID, 1),
      phase: "scheduled",
      scheduled_at: START,
      deadline: "2026-01-01T01:10:00.000Z",
      attempts: { 1: { host: FIRST_HOST, execution: fenceOf(VOLUME_ID, 1), started_at: START, outcome: "running" } },
    });
    expect(figures(world)).toMatchObject({
      allocated_capacity_gb: 1,
      claims: { [VOLUME_ID]: { attempt: 1, size: 1 } },
    });
  });

  it("starts the execution with everything a task needs and no more", async () => {
    const world = queued();
    await deliver(world, { context: { ...CONTEXT, auth_token: "secret" }, image_id: "image" });
    expect([...world.executions.keys()]).toEqual([fenceOf(VOLUME_ID, 1)]);
    expect(world.executions.get(fenceOf(VOLUME_ID, 1))).toEqual({
      context: CONTEXT,
      volume_id: VOLUME_ID,
      attempt: 1,
      fence: fenceOf(VOLUME_ID, 1),
      host: FIRST_HOST,
      image_id: "image",
      snapshot_id: null,
      source_volid: null,
      request_spec: { volume_id: VOLUME_ID, volume_properties: { size: 1 } },
      filter_properties: expect.objectContaining({
        size: 1,
        retry: { num_attempts: 1, hosts: [FIRST_HOST], backends: [FIRST_HOST] },
      }),
      allow_reschedule: true,
      reschedule_failure: null,
    });
  });

  it("sends the request spec once, not again within the filter properties", async () => {
    const world = queued();
    await deliver(world);
    expect(world.executions.get(fenceOf(VOLUME_ID, 1))?.filter_properties).not.toHaveProperty("request_spec");
  });

  it("carries the volume's metadata once, on its reference, and what differs from it in the request", async () => {
    const metadata = { constructor: "c", tier: "gold" };
    const world = queued({ metadata });
    const properties = { size: 1, metadata };
    await deliver(world, { request_spec: { volume_properties: properties, resource_properties: properties } });
    expect(JSON.stringify(world.executions.get(fenceOf(VOLUME_ID, 1)))).not.toContain("gold");
    const other = queued({ metadata: { tier: "lead" } });
    await deliver(other, { request_spec: { volume_properties: properties } });
    expect(other.executions.get(fenceOf(VOLUME_ID, 1))?.request_spec).toMatchObject({ volume_properties: properties });
  });

  it("takes size, zone and type of a request without a spec from the record", async () => {
    for (const request_spec of [null, {}]) {
      const world = queued({ availability_zone: "nowhere" });
      await deliver(world, { request_spec });
      expect(await recordOf(world)).toMatchObject({ status: "error", availability_zone: "nowhere", host: null });
      expect((await recordOf(world)).fault?.cause).toContain("is in availability zone nova, not in nowhere");
    }
  });

  it("takes the zone of the resource properties where there are no volume properties", async () => {
    const world = queued();
    await deliver(world, { request_spec: { resource_properties: { availability_zone: "nowhere" } } });
    expect((await recordOf(world)).fault?.cause).toContain("not in nowhere");
  });

  it.each([{ new_size: 101 }, { new_size: 2 }, { vol_exists_on: FIRST_HOST }])(
    "asks for the whole volume, whatever an extend or a retype has left in the properties: %j",
    async (left) => {
      const world = queued({ size: 100_000 });
      await deliver(world, { filter_properties: left });
      expect(await recordOf(world)).toMatchObject({ status: "error", fault: { error: "NoValidBackend" } });
      const small = queued();
      await deliver(small, { filter_properties: left });
      expect(small.executions.size).toBe(1);
    },
  );

  it("refuses a request that leaves no room in a state document, by the bytes that it takes", async () => {
    const metadata = Object.fromEntries(
      Array.from({ length: 100 }, (_, index) => [`${index}`, "\u{1F600}".repeat(400)]),
    );
    const world = queued({ metadata });
    await deliver(world);
    expect(await recordOf(world)).toMatchObject({ status: "error", host: null, fault: { error: "InvalidInput" } });
    expect((await recordOf(world)).fault?.cause).toMatch(
      /with the columns of its volume takes \d+ bytes; at most 155648/,
    );
  });

  it("takes 128 metadata items of 255 and 255 characters", async () => {
    const metadata = Object.fromEntries(
      Array.from({ length: 128 }, (_, index) => [`${index}`.padStart(255, "k"), "v".repeat(255)]),
    );
    const world = queued({ metadata });
    await deliver(world, { request_spec: { volume_properties: { size: 1, metadata } } });
    expect(world.executions.size).toBe(1);
  });

  it("does not allow a reschedule of a request without a spec", async () => {
    const world = queued();
    await deliver(world, { request_spec: null, filter_properties: null });
    expect(world.executions.get(fenceOf(VOLUME_ID, 1))).toMatchObject({ request_spec: {}, allow_reschedule: false });
  });

  it("does not allow a reschedule of a request whose spec is empty", async () => {
    const world = queued();
    await deliver(world, { request_spec: {} });
    expect(world.executions.get(fenceOf(VOLUME_ID, 1))?.allow_reschedule).toBe(false);
  });

  it("does not allow a reschedule when there is one attempt only", async () => {
    const world = queued();
    const deps = { ...world.deps, settings: { ...world.settings, scheduler_max_attempts: 1 } };
    await scheduleVolume(deps, parseCreateVolumeMessage(JSON.stringify(aMessage())), await recordOf(world));
    expect(world.executions.get(fenceOf(VOLUME_ID, 1))?.allow_reschedule).toBe(false);
  });

  it("believes the record's size, not the message's", async () => {
    const world = queued({ size: 7 });
    await deliver(world);
    expect(figures(world).claims[VOLUME_ID]?.size).toBe(7);
    expect(world.executions.get(fenceOf(VOLUME_ID, 1))?.request_spec).toMatchObject({ volume_properties: { size: 7 } });
  });

  it("binds a volume to the backend of its snapshot", async () => {
    const world = queued();
    world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ host: SECOND_HOST }));
    expect(await deliver(world, { snapshot_id: SNAPSHOT_ID })).toMatchObject({ detail: SECOND_HOST });
  });

  it("binds a clone to the backend of its source", async () => {
    const world = aWorld(aVolume({ source_volid: SOURCE_ID }), aSource({ host: SECOND_HOST }));
    expect(await deliver(world)).toMatchObject({ detail: SECOND_HOST });
    expect(world.executions.get(fenceOf(VOLUME_ID, 1))?.source_volid).toBe(SOURCE_ID);
  });

  it("reads the type that the record names when the message has none", async () => {
    const type = plainVolumeType({ extra_specs: { volume_backend_name: "gold" } });
    const world = queued({ volume_type_id: type.id });
    world.fakes.volumeTypes.records.set(type.id, type);
    const second = figures(world, SECOND_HOST);
    world.fakes.backends.records.set(SECOND_HOST, { ...second, capabilities: { volume_backend_name: "gold" } });
    expect(await deliver(world)).toMatchObject({ detail: SECOND_HOST });
  });

  it("takes back a volume that another service put in error before anybody owned it", async () => {
    const world = queued({ status: "error", phase: null, deadline: null });
    expect(await deliver(world)).toMatchObject({ outcome: "scheduled" });
    expect((await recordOf(world)).status).toBe("creating");
  });

  it("places the next attempt elsewhere", async () => {
    const world = queued({ fence: fenceOf(VOLUME_ID, 2) });
    const retry = { num_attempts: 1, hosts: [FIRST_HOST], backends: [FIRST_HOST], exc: ["no"] };
    expect(await deliver(world, { filter_properties: { retry } })).toMatchObject({ detail: SECOND_HOST });
    expect(world.executions.get(fenceOf(VOLUME_ID, 2))?.filter_properties["retry"]).toEqual({
      num_attempts: 2,
      hosts: [FIRST_HOST, SECOND_HOST],
      backends: [FIRST_HOST, SECOND_HOST],
    });
  });
});

describe("a request that no backend can take", () => {
  it("ends in error with the reason of each backend, and holds nothing", async () => {
    const world = queued({ size: 1000 });
    expect(await deliver(world)).toMatchObject({ outcome: "error" });
    const { status, fault, host } = await recordOf(world);
    expect({ status, host }).toEqual({ status: "error", host: null });
    expect(fault).toMatchObject({ error: "NoValidBackend", attempt: 1 });
    expect(fault?.cause).toContain(FIRST_HOST);
    expect(fault?.cause).toContain(SECOND_HOST);
    expect(openClaims(world)).toEqual([]);
    expect(world.notifications).toMatchObject([
      { event_type: "volume.create.error", publisher_id: "volume." },
      { event_type: "scheduler.create_volume", priority: "ERROR", payload: { reason: fault?.cause, state: "error" } },
    ]);
  });

  it("says which backends are disabled or silent", async () => {
    const world = queued();
    world.fakes.backends.records.set(FIRST_HOST, { ...figures(world), disabled: true });
    world.now = new Date("2026-01-01T01:06:00.000Z");
    await deliver(world);
    const { fault } = await recordOf(world);
    expect(fault?.cause).toContain("is disabled");
    expect(fault?.cause).toContain("is down, its last report is of 2026-01-01T01:00:00.000Z");
  });

  it("ends after the last attempt with a fault that names them all", async () => {
    const line = (host: string, attempt: number) => ({
      host,
      execution: fenceOf(VOLUME_ID, attempt),
      started_at: START,
      outcome: "rescheduled" as const,
      error: "E",
      cause: `c${attempt}`,
    });
    const attempts = { 1: line(FIRST_HOST, 1), 2: line(SECOND_HOST, 2), 3: line(FIRST_HOST, 3) };
    const world = queued({ fence: fenceOf(VOLUME_ID, 4), attempts });
    await deliver(world, { filter_properties: { retry: { num_attempts: 3, hosts: [], backends: [] } } });
    expect((await recordOf(world)).fault).toMatchObject({
      error: "NoValidBackend",
      cause: `No valid backend was found. Exceeded max scheduling attempts 3 for resource ${VOLUME_ID}`,
      attempts: [
        `attempt 1 on ${FIRST_HOST}: E: c1`,
        `attempt 2 on ${SECOND_HOST}: E: c2`,
        `attempt 3 on ${FIRST_HOST}: E: c3`,
      ],
    });
  });

  it.each<[string, Record<string, unknown>, string]>([
    ["snapshot", { snapshot_id: SNAPSHOT_ID }, "SnapshotNotFound"],
    ["source volume", { source_volid: SOURCE_ID }, "VolumeNotFound"],
  ])("ends in error when its %s does not exist", async (_what, keys, error) => {
    const world = queued();
    expect(await deliver(world, keys)).toMatchObject({ outcome: "error" });
    expect((await recordOf(world)).fault?.error).toBe(error);
  });

  it("ends in error when its source is another project's", async () => {
    const world = aWorld(aVolume(), aSource({ project_id: "another" }));
    await deliver(world, { source_volid: SOURCE_ID });
    expect((await recordOf(world)).fault).toMatchObject({
      error: "VolumeNotFound",
      cause: expect.stringContaining(SOURCE_ID),
    });
  });

  it.each([0, -1, 1.5])("ends in error when the record's size is %d", async (size) => {
    const world = queued({ size });
    await deliver(world);
    expect((await recordOf(world)).fault?.error).toBe("InvalidInput");
  });

  it("ends in error when its type does not exist", async () => {
    const world = queued({ volume_type_id: "gone" });
    await deliver(world);
    expect((await recordOf(world)).fault?.error).toBe("VolumeTypeNotFound");
  });

  it("ends in error, its host kept, when the execution cannot take the request", async () => {
    const world = queued();
    world.faults.fail("workflow.start", new InvalidInput("the request is too long"));
    expect(await deliver(world)).toMatchObject({ outcome: "error" });
    expect(await recordOf(world)).toMatchObject({
      status: "error",
      host: FIRST_HOST,
      fault: { error: "InvalidInput" },
    });
    expect(openClaims(world)).toEqual([]);
  });

  it("dead at any call and delivered again, sends the notification and holds nothing", async () => {
    await expectSameAfterAnyDeath(
      () => queued({ size: 1000 }),
      (world) => deliver(world, { size: 1000 }),
      (world) => expect(openClaims(world)).toEqual([]),
    );
  });
});

describe("a message that comes again", () => {
  it("after a death at any call, ends in one claim, one host and one execution", async () => {
    const deaths = await expectSameAfterAnyDeath(
      () => queued(),
      (world) => deliver(world),
      (world) => {
        expect(openClaims(world)).toEqual([VOLUME_ID]);
        expect(world.executions.size).toBe(1);
      },
    );
    expect(deaths).toBe(8);
  });

  it("after everything was done, starts nothing new", async () => {
    const world = queued();
    await deliver(world);
    const before = world.state();
    expect(await deliver(world)).toMatchObject({ outcome: "scheduled" });
    expect(world.state()).toEqual(before);
  });

  it("with a record that was read before the first delivery wrote it, keeps the first one's host", async () => {
    const world = queued();
    const stale = await recordOf(world);
    await deliver(world);
    const before = world.state();
    const message = parseCreateVolumeMessage(JSON.stringify(aMessage()));
    expect(await scheduleVolume(world.deps, message, stale)).toMatchObject({ detail: FIRST_HOST });
    expect(world.state()).toEqual(before);
  });

  it("and claims after its attempt has ended, gives that claim back", async () => {
    const world = queued();
    const stale = await recordOf(world);
    const done = aVolumeInFlow({ status: "available", launched_at: START, deadline: null, phase: null });
    world.fakes.volumes.records.set(VOLUME_ID, done);
    world.now = new Date("2026-01-01T01:05:00.000Z");
    await scheduleVolume(world.deps, parseCreateVolumeMessage(JSON.stringify(aMessage())), stale);
    expect(openClaims(world)).toEqual([]);
  });

  it("and finds the claim of a create that ended without its notification, leaves that claim open", async () => {
    const world = aWorld(aVolumeInFlow());
    const stale = aVolume();
    const done = aVolumeInFlow({ status: "available", launched_at: START, deadline: null, phase: null });
    world.fakes.volumes.records.set(VOLUME_ID, done);
    const before = await world.fakes.backends.list();
    await scheduleVolume(world.deps, parseCreateVolumeMessage(JSON.stringify(aMessage())), stale);
    expect(await world.fakes.backends.list()).toEqual(before);
  });

  it("starts the attempt with its claim, however much later the record is written", async () => {
    const world = queued();
    world.faults.fail("volumes.assignHost", new Error("throttled"));
    await expect(deliver(world)).rejects.toThrow("throttled");
    world.now = new Date("2026-01-01T01:02:00.000Z");
    await deliver(world);
    const { host, attempts } = await recordOf(world);
    const claim = world.fakes.backends.records.get(host ?? "")?.claims[VOLUME_ID];
    expect([attempts["1"]?.started_at, claim?.claimed_at]).toEqual([START, START]);
  });

  it.each<[string, VolumeRecord]>([
    ["a later attempt owns the volume", aVolumeInFlow({}, 2)],
    ["the volume waits for a later attempt", aVolume({ fence: fenceOf(VOLUME_ID, 2) })],
    ["the volume is available", aVolumeInFlow({ status: "available", deadline: null, launched_at: START })],
    ["the volume is in error on a host", aVolumeInFlow({ status: "error", deadline: null })],
    ["the volume is being deleted", aVolumeInFlow({ status: "deleting", deadline: null })],
    ["its workflow creates the volume", aVolumeInFlow({ phase: "creating" })],
    ["its workflow copies the image", aVolumeInFlow({ phase: "copying", status: "downloading" })],
  ])("changes nothing when %s", async (_when, volume) => {
    const world = aWorld(volume);
    const before = world.state();
    expect(await deliver(world)).toMatchObject({ outcome: "left alone" });
    expect(world.state()).toEqual(before);
  });

  it("does not end a create that runs because its source is gone by now", async () => {
    const world = aWorld(aVolumeInFlow({ phase: "creating" }));
    expect(await deliver(world, { snapshot_id: SNAPSHOT_ID })).toMatchObject({ outcome: "left alone" });
    expect((await recordOf(world)).status).toBe("creating");
  });

  it("and loses the volume in between, gives its claim back", async () => {
    const world = queued();
    world.faults.fail("volumes.assignHost", new FenceLost(VOLUME_ID, "a", "b"));
    expect(await deliver(world)).toMatchObject({ outcome: "left alone" });
    expect(world.fakes.backends.closed).toEqual([`release ${FIRST_HOST} ${VOLUME_ID} 1`]);
  });
});

describe("an error that may pass", () => {
  it.each(["backends.list", "backends.claim", "volumes.assignHost", "workflow.start"])(
    "of %s comes out, so that the message comes again",
    async (call) => {
      const world = queued();
      world.faults.fail(call, new Error("throttled"));
      await expect(deliver(world)).rejects.toThrow("throttled");
      expect((await recordOf(world)).status).toBe("creating");
      expect(await deliver(world)).toMatchObject({ outcome: "scheduled" });
    },
  );
});
