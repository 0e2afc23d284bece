import { describe, expect, it } from "vitest";
import { buildCreateRequest } from "../../core/requests/create-request.ts";
import { InvalidVolume } from "../../core/errors.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { retryVolume } from "../../core/dead-letters/retry-volume.ts";
import { aVolumeInFlow, aWorld, FIRST_HOST, IMAGE_ID, VOLUME_ID } from "../support/builders.ts";
import { START, type World } from "../support/fakes/world.ts";

const FAULT = { error: "NoValidBackend", cause: "none", attempt: 1, at: START, attempts: [] };
const REQUEST = buildCreateRequest(
  {
    sizeGib: 2,
    displayName: "root",
    imageId: IMAGE_ID,
    availabilityZone: "nova",
    schedulerHints: { same_host: "x" },
    projectId: "project",
    userId: "user",
  },
  new Date(START),
  { volumeId: VOLUME_ID, requestId: "req-1" },
);

/** A volume of that request which came to rest in error after its first attempt. */
function failed(columns: Partial<VolumeRecord> = {}): World {
  const { fence, attempts } = aVolumeInFlow();
  return aWorld({
    ...REQUEST.record,
    status: "error",
    phase: "queued",
    deadline: null,
    fault: FAULT,
    fence,
    attempts,
    ...columns,
  });
}

const retry = (world: World) => retryVolume(world.deps, VOLUME_ID);

describe("a retry", () => {
  it("sends the request of the record again, as the next attempt, and takes the volume into the flow", async () => {
    const world = failed();
    expect(await retry(world)).toEqual({ volumeId: VOLUME_ID, attempt: 2 });
    expect(await world.fakes.volumes.get(VOLUME_ID)).toMatchObject({
      status: "creating",
      phase: "queued",
      fence: `${VOLUME_ID}-a2`,
      fault: null,
    });
    const [message] = world.casts;
    const { filter_properties: properties, ...others } = message ?? {};
    const { filter_properties: first, ...same } = REQUEST.message;
    expect(others).toEqual(same);
    expect(properties).toEqual({ ...first, retry: expect.objectContaining({ num_attempts: expect.any(Number) }) });
  });

  it("asks for the zone of the request, and not for that of the backend that failed", async () => {
    const world = failed({ availability_zone: "of the backend" });
    await retry(world);
    expect(world.casts[0]).toMatchObject({ request_spec: { volume_properties: { availability_zone: "nova" } } });
  });

  it("of a volume that has been taken by another retry is refused, and sends nothing more", async () => {
    const world = failed();
    await retry(world);
    await expect(retry(world)).rejects.toThrow(InvalidVolume);
    expect(world.casts).toHaveLength(1);
  });

  it("that dies before its message is sent leaves a volume that its deadline decides", async () => {
    const world = failed();
    world.faults.fail("queue.send", new Error("lost"));
    await expect(retry(world)).rejects.toThrow("lost");
    expect(await world.fakes.volumes.get(VOLUME_ID)).toMatchObject({
      status: "creating",
      deadline: expect.any(String),
    });
  });

  it.each<[string, Partial<VolumeRecord>]>([
    ["is available; only one in error can be retried", { status: "available" }],
    ["may lie on", { host: FIRST_HOST, phase: "creating" }],
    ["is being deleted", { delete_requested_at: START }],
  ])("is refused for a volume that %s", async (why, columns) => {
    const world = failed(columns);
    await expect(retry(world)).rejects.toThrow(why);
    expect(world.casts).toEqual([]);
  });

  it("is refused for a record without its request", async () => {
    const { request: _, ...record } = REQUEST.record;
    const world = aWorld({ ...record, status: "error", deadline: null, fault: FAULT });
    await expect(retry(world)).rejects.toThrow("does not keep its request");
  });
});
