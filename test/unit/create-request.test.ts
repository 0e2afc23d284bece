import { describe, expect, test } from "vitest";
import { REQUEST_BYTES } from "../../core/requests/byte-budget.ts";
import { buildCreateRequest, changeVolumeDetails, createMessage } from "../../core/requests/create-request.ts";
import type { CreateRequestInput } from "../../core/requests/create-request.ts";
import { parseCreateVolumeMessage } from "../../core/requests/messages.ts";
import type { VolumeTypeRecord } from "../../core/records.ts";

const IDS = { volumeId: "11111111-1111-4111-8111-111111111111", requestId: "req-1" };
const NOW = new Date("2026-03-04T05:06:07.000Z");
const SNAPSHOT_ID = "33333333-3333-4333-8333-333333333333";

const FAST: VolumeTypeRecord = {
  id: "44444444-4444-4444-8444-444444444444",
  name: "fast",
  extra_specs: { volume_backend_name: "ssd" },
  description: null,
  is_public: true,
  created_at: "2026-03-04T05:00:00.000Z",
};

function build(input: Partial<CreateRequestInput> = {}) {
  return buildCreateRequest({ sizeGib: 1, ...input }, NOW, IDS);
}

describe("the record", () => {
  test("waits for the scheduler: creating, queued, without an owner, no attempt yet", () => {
    const { record } = build();
    expect(record).toMatchObject({ status: "creating", phase: "queued", fence: null, host: null, attempts: {} });
  });

  test("is in the flow until the queue's bound has passed", () => {
    expect(build().record.deadline).toBe("2026-03-04T05:26:07.000Z");
  });

  test("keeps what was asked for", () => {
    const { record } = build({
      sizeGib: 7,
      displayName: "data",
      displayDescription: "of the shop",
      availabilityZone: "zone-b",
      metadata: { tier: "gold" },
      volumeType: FAST,
      snapshotId: SNAPSHOT_ID,
      projectId: "p",
      userId: "u",
    });
    expect(record).toMatchObject({
      id: IDS.volumeId,
      size: 7,
      display_name: "data",
      display_description: "of the shop",
      availability_zone: "zone-b",
      metadata: { tier: "gold" },
      volume_type_id: FAST.id,
      snapshot_id: SNAPSHOT_ID,
      project_id: "p",
      user_id: "u",
    });
  });

  test("does not share its metadata with the input", () => {
    const metadata: Record<string, string> = { tier: "gold" };
    const { record } = build({ metadata });
    metadata["tier"] = "iron";
    expect(record.metadata).toEqual({ tier: "gold" });
  });
});

describe("the message", () => {
  test("is one that the scheduler reads", () => {
    const { message } = build({ imageId: "55555555-5555-4555-8555-555555555555", volumeType: FAST });
    expect(parseCreateVolumeMessage(JSON.stringify(message))).toEqual(message);
  });

  test("names the same source in the cast and in the request spec", () => {
    const { message } = build({ snapshotId: SNAPSHOT_ID });
    expect([message.snapshot_id, message.request_spec?.["snapshot_id"]]).toEqual([SNAPSHOT_ID, SNAPSHOT_ID]);
    expect([message.image_id, message.source_volid]).toEqual([null, null]);
  });

  test("has the volume's properties once, with the size and the zone that filters read", () => {
    const { request_spec } = build({ sizeGib: 3, availabilityZone: "zone-b" }).message;
    expect(request_spec?.["volume_properties"]).toMatchObject({
      size: 3,
      availability_zone: "zone-b",
      status: "creating",
    });
    expect(request_spec).not.toHaveProperty("resource_properties");
  });

  test("has every UUID in lower case, also in the record and in an image's address", () => {
    const upper = "5B2F4C1E-9D3A-4F60-8A71-0000000000AB";
    const lower = upper.toLowerCase();
    const fromSnapshot = build({ snapshotId: upper });
    expect([fromSnapshot.message.snapshot_id, fromSnapshot.record.snapshot_id]).toEqual([lower, lower]);
    const clone = build({ sourceVolumeId: upper });
    expect([clone.message.source_volid, clone.record.source_volid]).toEqual([lower, lower]);
    expect(build({ imageId: upper }).message.image_id).toBe(lower);
    expect(build({ imageId: `s3://b/${upper}` }).message.image_id).toBe(`s3://b/${lower}`);
  });

  test.each(["https://u:s3cr3t@h/x", "https:u:s3cr3t@h", "https://h/x?s3cr3t", "https://h/x#s3cr3t"])(
    "refuses an image's address that may hold a secret, and does not show it: %s",
    (imageId) => {
      expect(() => build({ imageId })).toThrow(/the image must be a UUID, or an address/);
      expect(() => build({ imageId })).not.toThrow(/s3cr3t/);
    },
  );

  test("carries the type's extra specs, and null without a type", () => {
    expect(build({ volumeType: FAST }).message.request_spec?.["volume_type"]).toEqual({
      id: FAST.id,
      name: "fast",
      extra_specs: { volume_backend_name: "ssd" },
    });
    expect(build().message.request_spec?.["volume_type"]).toBeNull();
  });

  test("leaves the retry bookkeeping to the scheduler", () => {
    expect(build().message.filter_properties).toEqual({});
  });

  test("speaks for the project of the record, and not as an administrator", () => {
    const { message } = build({ projectId: "p", userId: "u", roles: ["reader"] });
    expect(message.context).toEqual({
      request_id: "req-1",
      project_id: "p",
      user_id: "u",
      roles: ["reader"],
      is_admin: false,
    });
  });
});

describe("the context of a message", () => {
  test.each([
    [["admin"], true],
    [["member", "admin"], true],
    [["administrator"], false],
    [[], false],
  ])("of a caller with the roles %j is an administrator's: %s", (roles, isAdmin) => {
    expect(build({ roles }).message.context).toMatchObject({ roles, is_admin: isAdmin });
  });

  test("names the secret of the caller's token when there is one", () => {
    expect(build({ authSecret: "glance/caller" }).message.context).toHaveProperty("auth_secret", "glance/caller");
    expect(build({ authSecret: null }).message.context).not.toHaveProperty("auth_secret");
  });

  test("of a volume whose record keeps no request has no rights but a member's", () => {
    const { request: _request, ...record } = build({ roles: ["admin"], authSecret: "a/b" }).record;
    const message = createMessage(record, null);
    expect(message).toMatchObject({
      context: { request_id: "", is_admin: false, roles: ["member", "reader"] },
      image_id: null,
      filter_properties: {},
    });
    expect(message.context).not.toHaveProperty("auth_secret");
  });
});

describe("the hints of a request", () => {
  test("reach the scheduler in both places where Cinder has them", () => {
    const schedulerHints = { same_host: SNAPSHOT_ID };
    const { request_spec, filter_properties } = build({ schedulerHints }).message;
    expect([request_spec?.scheduler_hints, filter_properties]).toEqual([
      schedulerHints,
      { scheduler_hints: schedulerHints },
    ]);
  });

  test("are in neither when there are none", () => {
    const { request_spec, filter_properties } = build().message;
    expect(request_spec).not.toHaveProperty("scheduler_hints");
    expect(filter_properties).not.toHaveProperty("scheduler_hints");
  });
});

describe("bad input", () => {
  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])("size %s is refused", (sizeGib) => {
    expect(() => build({ sizeGib })).toThrow(/must be an integer and greater than 0|at most/);
  });

  test("two sources are refused, and both are named", () => {
    const input = { snapshotId: SNAPSHOT_ID, sourceVolumeId: IDS.volumeId };
    expect(() => build(input)).toThrow("snapshot_id and source_volid are given");
  });
});

describe("the byte budget of a request", () => {
  const items = (count: number, value: string): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`key-${index}`, value]));

  test("takes metadata whose message is within its share", () => {
    expect(build({ metadata: items(200, "x".repeat(255)) }).record.metadata["key-199"]).toHaveLength(255);
  });

  test.each([
    ["600 items of 255 letters", items(600, "x".repeat(255))],
    ["100 items of 255 emoji", items(100, "\u{1F600}".repeat(255))],
  ])("refuses %s before anything is recorded", (_what, metadata) => {
    expect(() => build({ metadata })).toThrow(new RegExp(`takes \\d+ bytes; at most ${REQUEST_BYTES} are allowed`));
  });

  describe("holds for a change of a volume's metadata", () => {
    const volume = { ...build().record, metadata: items(500, "x".repeat(255)) };
    const change = async (details: Parameters<typeof changeVolumeDetails>[2]) => {
      let changes = 0;
      const volumes = { changeDetails: async () => ((changes += 1), volume) };
      const projects = { rename: async () => {} };
      await changeVolumeDetails({ volumes, projects }, volume, details);
      return changes;
    };

    test("which is refused, and writes nothing, when the whole record would take too much", async () => {
      const set = Object.fromEntries(
        Object.entries(items(100, "x".repeat(255))).map(([key, value]) => [`n${key}`, value]),
      );
      await expect(change({ metadata: { set } })).rejects.toThrow(/at most 155648 are allowed/);
    });

    test("which may always make a record smaller", async () => {
      volume.metadata = items(1_000, "x".repeat(255));
      expect(await change({ metadata: { unset: ["key-0"] } })).toBe(1);
    });

    test("whose keys and values are checked as at the create", async () => {
      await expect(change({ metadata: { set: { "": "x" } } })).rejects.toMatchObject({ name: "InvalidInput" });
    });
  });
});

describe("a change of a volume's name", () => {
  const changesOf = async (details: Parameters<typeof changeVolumeDetails>[2]): Promise<unknown[]> => {
    const { record } = build();
    const writes: unknown[] = [];
    const projects = { rename: async (_position: unknown, name: string | null) => void writes.push(["entry", name]) };
    const volumes = { changeDetails: async () => (writes.push("record"), record) };
    await changeVolumeDetails({ volumes, projects }, record, details);
    return writes;
  };

  test.each(["data", null])("to %j is in its project's list before the record has it", async (displayName) => {
    expect(await changesOf({ displayName })).toEqual([["entry", displayName], "record"]);
  });

  test("is not made when only something else changes", async () => {
    expect(await changesOf({ displayDescription: "of the shop" })).toEqual(["record"]);
  });
});
