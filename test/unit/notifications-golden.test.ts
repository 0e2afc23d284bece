import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type CreateVolumeMessage, parseCreateVolumeMessage } from "../../core/requests/messages.ts";
import {
  buildNotification,
  buildSchedulerNotification,
  type EventType,
  type Notification,
  NOTIFICATION_ERAS,
  notificationEra,
  type NotificationEra,
} from "../../core/notifications/notifications.ts";
import type { Fault } from "../../core/records.ts";
import { aVolumeInFlow } from "../support/builders.ts";

/** Messages as consumers of either era know them: written from their formats, not by this code. */
const golden = (era: NotificationEra): Record<EventType, Notification> =>
  JSON.parse(readFileSync(new URL(`../data/notifications/${era}.json`, import.meta.url), "utf8"));

const NOW = new Date("2026-11-22T12:50:30.123Z");
const VOLUME_TYPE_ID = "6f1e2d3c-4b5a-4968-8776-655443322110";
const TOKEN = "gAAAAABlBcUvZk9Qm3";

const { payload: spec, ...envelope } = golden("zed")["scheduler.create_volume"];

/** The cast as Cinder sends it: the context of the caller with everything that it has, and the request spec. */
const body = JSON.stringify({
  context: {
    request_id: envelope._context_request_id,
    user_id: envelope._context_user_id,
    project_id: envelope._context_project_id,
    roles: envelope._context_roles,
    is_admin: false,
    auth_token: TOKEN,
    service_catalog: [{ type: "volumev3", token: TOKEN }],
  },
  volume_id: spec["volume_id"],
  request_spec: spec["request_spec"],
  filter_properties: { context: { auth_token: TOKEN } },
});
const message: CreateVolumeMessage = parseCreateVolumeMessage(body);

const volume = aVolumeInFlow({
  id: message.volume_id,
  project_id: message.context.project_id ?? "",
  user_id: message.context.user_id ?? "",
  size: 10,
  display_name: "data",
  availability_zone: "nova",
  host: "node1@lvm#pool",
  volume_type_id: VOLUME_TYPE_ID,
  snapshot_id: null,
  created_at: "2026-11-22T12:50:28.000Z",
  launched_at: null,
  metadata: { tier: "gold" },
  glance_metadata: { image_id: "7f0c1b1e-3a52-4d6a-9a53-3a4a4ce2a1b7" },
});

const fault: Fault = {
  error: "NoValidBackend",
  cause: "No valid backend was found. No weighed backends available",
  attempt: 1,
  at: NOW.toISOString(),
  attempts: ["attempt 1 on node1@lvm#pool: VolumeBackendAPIException: out of luns"],
};

const build = (era: NotificationEra): Record<EventType, Notification> => {
  const { context } = message;
  const launched_at = "2026-11-22T12:50:29.500Z";
  return {
    "volume.create.start": buildNotification("volume.create.start", volume, 1, context, NOW, { era }),
    "volume.create.end": buildNotification(
      "volume.create.end",
      { ...volume, status: "available", launched_at },
      1,
      context,
      NOW,
      { era },
    ),
    "volume.create.error": buildNotification("volume.create.error", { ...volume, status: "error" }, 1, context, NOW, {
      era,
      fault,
    }),
    "scheduler.create_volume": buildSchedulerNotification(message, volume, 1, fault.cause, NOW),
  };
};

describe.each(NOTIFICATION_ERAS)("a message of %s", (era) => {
  it.each(Object.entries(golden(era)))("%s is as its consumers know it", (event, expected) => {
    expect(build(era)[event as EventType]).toEqual(expected);
  });

  it("carries nothing of the caller's token", () => {
    const text = JSON.stringify(build(era));
    expect(text).not.toContain(TOKEN);
    expect(text).not.toContain("auth_token");
    expect(text).not.toContain("service_catalog");
  });

  it("gives the meter of sizes what Ceilometer reads of it", () => {
    const { payload } = build(era)["volume.create.end"];
    for (const field of ["size", "user_id", "tenant_id", "volume_id", "display_name", "volume_type", "status"]) {
      expect(payload[field]).toEqual(expect.anything());
    }
  });
});

describe("scheduler.create_volume", () => {
  it("masks secrets in a request spec that it did not make", () => {
    const properties = { size: 1, metadata: { "connector-password": TOKEN }, note: `auth_token=${TOKEN} left here` };
    const request_spec = { volume_properties: properties, context: { auth_token: TOKEN } };
    const told = buildSchedulerNotification({ ...message, request_spec }, volume, 1, `token: ${TOKEN} is bad`, NOW);
    expect(JSON.stringify(told)).not.toContain(TOKEN);
    expect(told.payload["volume_properties"]).toMatchObject({ size: 1, note: "auth_token=*** left here" });
  });

  it("makes the request spec of the volume where the cast has none", () => {
    const told = buildSchedulerNotification({ ...message, request_spec: null }, volume, 1, "no", NOW);
    expect(told.payload).toMatchObject({
      request_spec: { volume_id: volume.id, snapshot_id: null, image_id: null },
      volume_properties: { size: 10, availability_zone: "nova", volume_type_id: VOLUME_TYPE_ID },
    });
  });

  it("has the same id when it is repeated, and another for another attempt", () => {
    const idOf = (attempt: number, at: Date) =>
      buildSchedulerNotification(message, volume, attempt, "no", at).message_id;
    expect(idOf(1, NOW)).toBe(idOf(1, new Date(0)));
    expect(idOf(1, NOW)).not.toBe(idOf(2, NOW));
  });
});

describe("times", () => {
  it("that are unreadable are as if unset, because a notification never fails a create", () => {
    const stray = { ...volume, created_at: "yesterday", launched_at: "" };
    const { context } = message;
    expect(buildNotification("volume.create.start", stray, 1, context, NOW, { era: "icehouse" }).payload).toMatchObject(
      { created_at: "", launched_at: "" },
    );
    expect(buildNotification("volume.create.start", stray, 1, context, NOW).payload["created_at"]).toBe(
      "2026-11-22T12:50:30.123000",
    );
  });
});

describe("the era", () => {
  it("is one of two words", () => {
    expect(notificationEra("icehouse")).toBe("icehouse");
    expect(() => notificationEra("juno")).toThrow('notification_era must be icehouse or zed, not "juno"');
  });
});
