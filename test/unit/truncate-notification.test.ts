import { describe, expect, it } from "vitest";
import { bytesOf, LARGEST_MESSAGE_BYTES, messageText } from "../../core/requests/byte-budget.ts";
import { buildNotification, buildSchedulerNotification } from "../../core/notifications/notifications.ts";
import { withinTopic } from "../../core/notifications/truncate-notification.ts";
import { aMessage, aVolumeInFlow } from "../support/builders.ts";
import { CONTEXT } from "../support/fakes/world.ts";

const NOW = new Date("2026-01-01T00:00:00.000Z");
const emoji = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`key${index}`, "\u{1F600}".repeat(255)]));

describe("a notification that is too large for its topic", () => {
  it("is truncated in its heaviest parts, and says which", () => {
    const volume = aVolumeInFlow({ metadata: emoji, glance_metadata: { image_id: "i" }, display_name: "n" });
    const full = buildNotification("volume.create.end", volume, 1, CONTEXT, NOW);
    expect(bytesOf(messageText(full))).toBeGreaterThan(LARGEST_MESSAGE_BYTES);
    const sent = withinTopic(full);
    expect(bytesOf(messageText(sent))).toBeLessThan(LARGEST_MESSAGE_BYTES);
    expect(sent.payload).toMatchObject({ metadata: [], truncated: ["metadata"], display_name: "n" });
    expect(sent.payload["glance_metadata"]).toEqual([{ key: "image_id", value: "i" }]);
    expect(sent.message_id).toBe(full.message_id);
    expect(withinTopic(full)).toEqual(sent);
    expect(full.payload["metadata"]).toHaveLength(100);
  });

  it("keeps the rest of a request spec whose metadata is too large, and the reason", () => {
    const message = { ...aMessage(), request_spec: { volume_properties: { size: 7, metadata: emoji }, extra: "kept" } };
    const full = buildSchedulerNotification(message as never, aVolumeInFlow(), 1, "no backend", NOW);
    const { payload } = withinTopic(full);
    expect(payload).toMatchObject({
      reason: "no backend",
      request_spec: { extra: "kept", volume_properties: { size: 7, metadata: {} } },
      truncated: expect.arrayContaining(["request_spec.volume_properties.metadata"]),
    });
  });

  it("is cut where one string is too long", () => {
    const volume = aVolumeInFlow({ display_name: "x".repeat(300_000) });
    const { payload } = withinTopic(buildNotification("volume.create.start", volume, 1, CONTEXT, NOW));
    expect(payload).toMatchObject({ display_name: `${"x".repeat(20)}\u2026`, truncated: ["display_name"] });
  });
});

it("a notification that fits is sent as it is", () => {
  const full = buildNotification("volume.create.start", aVolumeInFlow(), 1, CONTEXT, NOW);
  expect(withinTopic(full)).toBe(full);
});
