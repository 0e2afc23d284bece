import { describe, expect, it } from "vitest";
import { NotificationNotSent } from "../../core/errors.ts";
import { parseCreateVolumeMessage } from "../../core/requests/messages.ts";
import { scheduleVolume } from "../../core/scheduling/schedule-volume.ts";
import { aMessage, aVolume, aWorld, VOLUME_ID } from "../support/builders.ts";
import type { World } from "../support/fakes/world.ts";

const TOKEN = "gAAAAABlBcUvZk9Qm3";

async function deliver(world: World, keys: Record<string, unknown> = {}) {
  const volume = await world.fakes.volumes.get(VOLUME_ID);
  return scheduleVolume(world.deps, parseCreateVolumeMessage(JSON.stringify(aMessage(keys))), volume);
}

const tooLarge = (): World => aWorld(aVolume({ size: 1000 }));
const told = (world: World) => world.notifications.filter(({ event_type }) => event_type === "scheduler.create_volume");

describe("a request that cannot be scheduled", () => {
  it("is published as by Cinder's scheduler, after the record reads error", async () => {
    const world = tooLarge();
    await deliver(world, { request_spec: { volume_type: null, volume_properties: { size: 1000 } } });
    expect(told(world)).toMatchObject([
      {
        publisher_id: "scheduler.cinderless",
        priority: "ERROR",
        payload: {
          request_spec: { volume_id: VOLUME_ID, volume_type: null },
          volume_properties: { size: 1000 },
          volume_id: VOLUME_ID,
          state: "error",
          method: "create_volume",
          reason: expect.stringContaining("No valid backend was found."),
        },
      },
    ]);
    expect(world.faults.calls.indexOf("volumes.markUnschedulable")).toBeLessThan(
      world.faults.calls.lastIndexOf("notifier.publish"),
    );
  });

  it("is published again by a repeated delivery, under the same id", async () => {
    const world = tooLarge();
    await deliver(world);
    await deliver(world);
    expect(told(world)).toHaveLength(2);
    expect(new Set(told(world).map(({ message_id }) => message_id)).size).toBe(1);
  });

  it("is not published by a late delivery of another attempt", async () => {
    const world = tooLarge();
    await deliver(world);
    await deliver(world, { filter_properties: { retry: { num_attempts: 1, hosts: [], backends: [] } } });
    expect(told(world)).toHaveLength(1);
  });

  it("is not published when the sweep gave it up", async () => {
    const fault = { error: "DeadlineExceeded", cause: "late", attempt: 1, at: "", attempts: [] };
    const world = aWorld(aVolume({ status: "error", fault }));
    await deliver(world);
    expect(told(world)).toEqual([]);
  });

  it.each([1, 2])("still ends in error when notification %d cannot be sent, and is published in the end", async (n) => {
    const world = tooLarge();
    const { publish } = world.deps.notifier;
    let sent = 0;
    world.deps.notifier.publish = async (notification) => {
      sent += 1;
      if (sent === n) {
        throw new NotificationNotSent(notification.event_type, "no");
      }
      await publish(notification);
    };
    await deliver(world).catch(() => undefined);
    expect(await world.fakes.volumes.get(VOLUME_ID)).toMatchObject({ status: "error" });
    await deliver(world);
    expect(new Set(world.notifications.map(({ event_type }) => event_type))).toEqual(
      new Set(["volume.create.error", "scheduler.create_volume"]),
    );
  });

  it("gives no token away", async () => {
    const world = tooLarge();
    const context = { user_id: "user", project_id: "project", auth_token: TOKEN };
    await deliver(world, { context, request_spec: { context, volume_properties: { size: 1000 } } });
    expect(told(world)).toHaveLength(1);
    expect(JSON.stringify(world.notifications)).not.toContain(TOKEN);
  });
});
