import { beforeEach, describe, expect, test, vi } from "vitest";
import { InvalidVolume } from "../../core/errors.ts";
import type { CreateVolumeMessage } from "../../core/requests/messages.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { runCli, volume, VOLUME_ID } from "../support/cli-context.ts";

/** `retry --replace`: a failed volume that its backend may hold. */

const REQUEST = { request_id: "req-1", image_id: "77777777-7777-4777-8777-777777777777", roles: ["member"] };

function failed(changes: Partial<VolumeRecord> = {}): VolumeRecord {
  return volume({
    id: VOLUME_ID,
    status: "error",
    display_name: "root",
    size: 3,
    host: "storage@file1#pool",
    phase: "copying",
    fence: `${VOLUME_ID}-a2`,
    deadline: null,
    metadata: { tier: "gold" },
    fault: { error: "ImageCopyFailure", cause: "broken off", attempt: 2, at: "2026-03-04T05:00:00.000Z", attempts: [] },
    request: REQUEST,
    ...changes,
  });
}

describe("retry of a volume that its backend may hold", () => {
  let records: Map<string, VolumeRecord>;
  let order: string[];
  const sent: CreateVolumeMessage[] = [];
  const parts = {
    volumes: {
      get: async (id: string) => records.get(id),
      getMany: async (ids: string[]) => new Map(ids.flatMap((id) => (records.has(id) ? [[id, records.get(id)]] : []))),
      create: async (record: VolumeRecord) => {
        order.push("create");
        records.set(record.id, record);
      },
    },
    volumeTypes: {},
    backends: { list: async () => [] },
    schedulerQueue: { send: async (message: CreateVolumeMessage) => void (order.push("send"), sent.push(message)) },
    driverFunctions: {
      deleteVolume: vi.fn(async (id: string) => {
        order.push("delete");
        records.delete(id);
        return "deleted";
      }),
    },
  };

  beforeEach(() => {
    records = new Map([[VOLUME_ID, failed()]]);
    order = [];
    sent.length = 0;
  });

  test("is refused without --replace, which the hint names", async () => {
    const { status, stderr } = await runCli(["retry", VOLUME_ID], parts);
    expect(status).toBe(1);
    expect(stderr).toContain("may lie on storage@file1#pool");
    expect(stderr).toContain(`cinderless retry ${VOLUME_ID} --replace`);
    expect(order).toEqual([]);
  });

  test("with --replace makes a volume of the same request before it deletes the failed one", async () => {
    const { status, stdout } = await runCli(["retry", VOLUME_ID, "--replace", "--json"], parts);
    const { volume_id: id, replaces } = JSON.parse(stdout) as { volume_id: string; replaces: string };
    expect([status, replaces, order]).toEqual([0, VOLUME_ID, ["create", "send", "delete"]]);
    expect(id).not.toBe(VOLUME_ID);
    expect(records.get(id)).toMatchObject({ display_name: "root", size: 3, metadata: { tier: "gold" }, host: null });
    expect(sent).toMatchObject([{ volume_id: id, image_id: REQUEST.image_id }]);
  });

  test("repeated after a refused deletion it finds the volume that it made, and deletes the failed one", async () => {
    parts.driverFunctions.deleteVolume.mockRejectedValueOnce(new InvalidVolume("the backend is down"));
    expect(await runCli(["retry", VOLUME_ID, "--replace"], parts)).toMatchObject({ status: 1 });
    const [, made] = [...records.keys()];
    const again = JSON.parse((await runCli(["retry", VOLUME_ID, "--replace", "--json"], parts)).stdout) as object;
    expect(again).toEqual({ volume_id: made, replaces: VOLUME_ID });
    expect([...records.keys()]).toEqual([made]);
  });

  test.each<[string, Partial<VolumeRecord>, string]>([
    ["that is not in error", { status: "available" }, "only one in error can be replaced"],
    ["that counts in a quota", { use_quota: true }, "through the Block Storage API"],
  ])("is refused with --replace for a volume %s", async (_what, changes, message) => {
    records.set(VOLUME_ID, failed(changes));
    const { status, stderr } = await runCli(["retry", VOLUME_ID, "--replace"], parts);
    expect([status, order]).toEqual([1, []]);
    expect(stderr).toContain(message);
  });

  test("is refused with --replace for a volume whose record does not keep its request", async () => {
    const { request: _request, ...record } = failed();
    records.set(VOLUME_ID, record);
    expect((await runCli(["retry", VOLUME_ID, "--replace"], parts)).stderr).toContain("does not keep its request");
  });
});
