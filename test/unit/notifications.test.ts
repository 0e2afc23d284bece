import { describe, expect, it } from "vitest";
import { buildNotification, type VolumeEventType } from "../../core/notifications/notifications.ts";
import type { Fault } from "../../core/records.ts";
import { aVolumeInFlow, FIRST_HOST, VOLUME_ID } from "../support/builders.ts";
import { CONTEXT } from "../support/fakes/world.ts";

const NOW = new Date("2026-11-22T12:50:30.120Z");
const volume = aVolumeInFlow({ metadata: { purpose: "test" }, glance_metadata: { image_id: "i" } });
const build = (event: VolumeEventType = "volume.create.start", columns: Partial<typeof volume> = {}, attempt = 1) =>
  buildNotification(event, { ...volume, ...columns }, attempt, CONTEXT, NOW);

describe("the envelope", () => {
  it("has exactly oslo's keys and the named fields of the context", () => {
    const { payload, message_id, ...envelope } = build();
    expect(envelope).toEqual({
      publisher_id: `volume.${FIRST_HOST}`,
      event_type: "volume.create.start",
      priority: "INFO",
      timestamp: "2026-11-22 12:50:30.120000",
      _context_request_id: "req-1",
      _context_user_id: "user",
      _context_project_id: "project",
      _context_roles: ["member"],
      _context_is_admin: false,
    });
    expect(message_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(payload["volume_id"]).toBe(VOLUME_ID);
  });

  it("names the volume's host, or none before it has one", () => {
    expect(build("volume.create.error", { host: null }).publisher_id).toBe("volume.");
  });

  it("is of priority ERROR for a failed create only", () => {
    expect(build("volume.create.error").priority).toBe("ERROR");
    expect(build("volume.create.end").priority).toBe("INFO");
  });

  it("carries no key of the context that is not named, such as a token", () => {
    const context = { ...CONTEXT, auth_token: "gAAAAAB-secret", service_catalog: [{ secret: "gAAAAAB-secret" }] };
    const text = JSON.stringify(buildNotification("volume.create.end", volume, 1, context, NOW));
    expect(text).not.toContain("secret");
    expect(text).not.toContain("token");
  });
});

describe("the message id", () => {
  it("is the same for a repeat, whenever it comes and whatever the record says by then", () => {
    const repeat = buildNotification("volume.create.start", { ...volume, status: "error" }, 1, CONTEXT, new Date(0));
    expect(repeat.message_id).toBe(build().message_id);
  });

  it("distinguishes events, attempts and volumes", () => {
    const ids = [
      build(),
      build("volume.create.end"),
      build("volume.create.error"),
      build("volume.create.start", {}, 2),
      build("volume.create.start", { id: "5b2f4c1e-9d3a-4f60-8a71-00000000000f" }),
    ].map(({ message_id }) => message_id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("does not change from release to release", () => {
    expect(build().message_id).toBe("3903c2e5-c4b4-5f97-901e-f41ab6feeded");
  });
});

describe("the payload", () => {
  it("has exactly the keys of Cinder's master branch", () => {
    expect(Object.keys(build().payload).toSorted()).toEqual(
      [
        "tenant_id",
        "host",
        "user_id",
        "availability_zone",
        "volume_id",
        "volume_type",
        "display_name",
        "launched_at",
        "created_at",
        "status",
        "snapshot_id",
        "size",
        "replication_status",
        "replication_extended_status",
        "replication_driver_data",
        "metadata",
        "volume_attachment",
        "glance_metadata",
      ].toSorted(),
    );
  });

  it("has no glance_metadata when there is none", () => {
    expect(build("volume.create.end", { glance_metadata: {} }).payload).not.toHaveProperty("glance_metadata");
  });

  it("lists metadata as rows of key and value", () => {
    expect(build().payload).toMatchObject({
      metadata: [{ key: "purpose", value: "test" }],
      glance_metadata: [{ key: "image_id", value: "i" }],
      volume_attachment: [],
    });
  });

  it("gives the type's id and times in ISO 8601 without a zone", () => {
    const columns = { volume_type_id: "type-id", launched_at: "2026-11-22T12:00:00.500Z" };
    expect(build("volume.create.end", columns).payload).toMatchObject({
      volume_type: "type-id",
      created_at: "2026-01-01T00:00:00",
      launched_at: "2026-11-22T12:00:00.500000",
    });
  });

  it("gives now for a volume that was not launched yet", () => {
    expect(build().payload["launched_at"]).toBe("2026-11-22T12:50:30.120000");
  });

  it("says nothing of the flow's own columns", () => {
    const text = JSON.stringify(build());
    for (const key of ["fence", "phase", "attempts", "deadline", "provider_location"]) {
      expect(text).not.toContain(`"${key}"`);
    }
  });

  it("has the fault with its class, the route of its error, when the create failed", () => {
    const fault: Fault = { error: "E", cause: "c", attempt: 1, at: NOW.toISOString(), attempts: [] };
    const { payload } = buildNotification("volume.create.error", volume, 1, CONTEXT, NOW, { fault });
    expect(payload["fault"]).toEqual({ error: "E", cause: "c", class: "uncertain", attempt: 1, attempts: [] });
  });
});
