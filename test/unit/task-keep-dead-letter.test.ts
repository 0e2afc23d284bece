import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { GIVEN_UP, type ReceivedDeadLetter } from "../../core/dead-letters/dead-letters.ts";
import { fenceOf, type VolumeRecord } from "../../core/records.ts";
import { keepDeadLetter } from "../../core/dead-letters/keep-dead-letter.ts";
import { readMessage } from "../../core/scheduling/receive-message.ts";
import { aMessage, aVolume, aVolumeInFlow, aWorld, FIRST_HOST, VOLUME_ID } from "../support/builders.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import { START, type World } from "../support/fakes/world.ts";

const SENT = new Date("2026-01-01T00:50:00.000Z");
const UNREADABLE = JSON.stringify(aMessage({ snapshot_id: "not-a-uuid" }));

const letter = (columns: Partial<ReceivedDeadLetter> = {}): ReceivedDeadLetter => ({
  id: "m-1",
  body: JSON.stringify(aMessage()),
  bodySha256: "5ha",
  reason: undefined,
  receivedCount: 6,
  sentAt: SENT,
  ...columns,
});

const recordOf = (world: World): Promise<VolumeRecord> => world.fakes.volumes.get(VOLUME_ID);
const keep = (world: World, columns: Partial<ReceivedDeadLetter> = {}) => keepDeadLetter(world.deps, letter(columns));

/** A volume whose host was written before its execution could be started. */
async function scheduledWorld(): Promise<World> {
  const volume = aVolumeInFlow({ phase: "scheduled" });
  return aWorld(volume);
}

describe("a dead letter", () => {
  it("is kept with what is known of it", async () => {
    const world = aWorld(aVolume());
    await keep(world);
    expect(world.fakes.deadLetters.records.get("m-1")).toEqual({
      id: "m-1",
      volume_id: VOLUME_ID,
      reason: GIVEN_UP,
      body: letter().body,
      received_count: 6,
      sent_at: SENT.toISOString(),
      kept_at: START,
      expires_at: Date.parse(START) / 1000 + 90 * 86_400,
      redrive_fence: null,
      redriven_at: null,
    });
  });

  it("is kept before anything else is done", async () => {
    const world = aWorld(aVolume());
    await keep(world);
    expect(world.faults.calls[0]).toBe("deadLetters.keep");
  });

  it("stays in its queue when it cannot be kept, and its volume waits on", async () => {
    const world = aWorld(aVolume());
    world.faults.fail("deadLetters.keep", new Error("throttled"));
    await expect(keep(world)).rejects.toThrow("throttled");
    expect(await recordOf(world)).toMatchObject({ status: "creating" });
  });

  it("that is not valid JSON is kept alone", async () => {
    const world = aWorld(aVolume());
    expect(await keep(world, { body: "{ no", reason: "the message is not valid JSON" })).toMatchObject({
      outcome: "no volume",
    });
    expect(world.fakes.deadLetters.records.get("m-1")).toMatchObject({
      volume_id: null,
      reason: "the message is not valid JSON",
    });
    expect(await recordOf(world)).toMatchObject({ status: "creating" });
  });

  it("of a volume that does not exist is kept alone", async () => {
    const world = aWorld();
    expect(await keep(world)).toMatchObject({ outcome: "left alone" });
    expect(world.fakes.deadLetters.records.has("m-1")).toBe(true);
  });

  it.each([
    ["JSON", JSON.stringify(aMessage({ context: { auth_token: "s3cr3t" } }))],
    ["no JSON", '{"context": {"auth_token": "s3cr3t"'],
  ])("is kept without its caller's token, as %s", async (_as, body) => {
    const world = aWorld(aVolume());
    await keep(world, { body, reason: 'cut at "auth_token": "s3cr3t"' });
    const stored = JSON.stringify([...world.fakes.deadLetters.records.values()]);
    expect(stored).toContain("auth_token");
    expect(stored).not.toContain("s3cr3t");
  });

  it.each(['{"auth_token": s3cr3t}', '{"auth_token": "s3cr3t" x}', "s3cr3t", '["s3cr3t'])(
    "that is not valid JSON, %s, is refused without a word of it",
    (body) => {
      const read = readMessage(body);
      expect("reason" in read && read.reason).toMatch(/^Invalid input received: the message is not valid JSON \(.+\)$/);
      expect("reason" in read && read.reason).not.toContain("s3cr3t");
    },
  );

  it("that cannot be parsed is kept as its length, its hash and its structure, whatever it holds", async () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9+/=_.~-]{4,40}$/);
    const forms: ((secret: string) => string)[] = [
      (text) => `{"context": {"auth_token": "${text}`,
      (text) => `{"context": {"auth_token": "a b ${text}"}, "volume_id": `,
      (text) => `Authorization: Bearer ${text}`,
      (text) => `GET /x?X-Amz-Signature=${text} HTTP/1.1`,
      (text) => `https://user:${text}@host/path`,
      (text) => `user:${text}@host`,
      (text) => `<password>${text}</password>`,
      (text) => `password\t${text}`,
      (text) => `--token ${text}`,
      (text) => `{\\"adminPass\\": \\"${text}\\"`,
      (text) => `{'secret': u'${text}'}`,
      (text) => `[["auth", "${text}"`,
      (text) => text,
      (text) => `"${text}"`,
    ];
    await fc.assert(
      fc.asyncProperty(secret, fc.nat(forms.length - 1), fc.string(), async (text, form, before) => {
        const world = aWorld(aVolume());
        await keep(world, { body: `${before}${forms[form]?.(text) ?? ""}` });
        const { body } = world.fakes.deadLetters.records.get("m-1") ?? {};
        const [head, kept = text] = body?.split("beginning with: ", 2) ?? [];
        expect(head).toMatch(/^\d+ bytes that are not a message, SHA-256 5ha, $/);
        expect(kept).not.toContain(text);
      }),
    );
  });

  it.each([
    ["nests without end", `{"volume_id": "${VOLUME_ID}", "a": ${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
    ["is empty", ""],
    [
      "is larger once it is masked",
      JSON.stringify(Object.fromEntries(Array.from({ length: 18_000 }, (_, i) => [`token${i}`, ""]))),
    ],
    ["has an unpaired surrogate", '"\ud800'],
  ])("that %s is kept", async (_what, body) => {
    const world = aWorld(aVolume());
    await keep(world, { body });
    expect(world.fakes.deadLetters.records.get("m-1")?.body.length).toBeLessThan(300_000);
  });

  it("that came without its reason, because it was too large to carry it, is kept with why it cannot be read", async () => {
    const world = aWorld(aVolume());
    await keep(world, { body: UNREADABLE });
    expect(world.fakes.deadLetters.records.get("m-1")?.reason).toContain("snapshot_id must be a UUID");
    expect(await recordOf(world)).toMatchObject({ fault: { cause: expect.stringContaining("snapshot_id") } });
  });

  it("may come twice, and its keeper may die anywhere", async () => {
    const make = () => aWorld(aVolume());
    expect(await expectSameAfterAnyDeath(make, (world) => keep(world))).toBeGreaterThan(6);
  });
});

describe("the volume that a dead letter names", () => {
  it("goes to error with the reason while it waits for the scheduler", async () => {
    const world = aWorld(aVolume());
    expect(await keep(world)).toEqual({ volumeId: VOLUME_ID, outcome: "error" });
    expect(await recordOf(world)).toMatchObject({
      status: "error",
      deadline: null,
      fault: { error: "MessageUndeliverable", cause: GIVEN_UP, attempt: 1 },
    });
    expect(world.notifications).toMatchObject([{ event_type: "volume.create.error" }]);
  });

  it("goes to error with the reason that the scheduler gave for an unreadable message", async () => {
    const world = aWorld(aVolume());
    await keep(world, { body: UNREADABLE, reason: "snapshot_id must be a UUID" });
    expect(await recordOf(world)).toMatchObject({
      status: "error",
      fault: { error: "InvalidInput", cause: "snapshot_id must be a UUID" },
    });
  });

  it("is notified once when the scheduler has put it in error with the letter", async () => {
    const fault = { error: "InvalidInput", cause: "no", attempt: 1, at: START, attempts: [] };
    const world = aWorld(aVolume({ status: "error", deadline: null, fault }));
    expect(await keep(world, { body: UNREADABLE, reason: "no" })).toMatchObject({ outcome: "error" });
    expect(world.notifications).toEqual([]);
  });

  it("goes to error when it was handed over to the attempt of the message", async () => {
    const volume = aVolume({ fence: fenceOf(VOLUME_ID, 2) });
    const world = aWorld(volume);
    const body = JSON.stringify(aMessage({ filter_properties: { retry: { num_attempts: 1, hosts: [FIRST_HOST] } } }));
    expect(await keep(world, { body })).toMatchObject({ outcome: "error" });
    expect(await recordOf(world)).toMatchObject({ fault: { attempt: 2 } });
  });

  it("goes to error when it has a host and its execution was not started", async () => {
    const world = await scheduledWorld();
    expect(await keep(world)).toMatchObject({ outcome: "error" });
    expect(await recordOf(world)).toMatchObject({ status: "error", host: FIRST_HOST, phase: "scheduled" });
  });

  it.each<[string, VolumeRecord]>([
    ["is available", aVolume({ status: "available", phase: null })],
    ["is on its backend by now", aVolumeInFlow({ phase: "creating" })],
    ["waits for a later attempt", aVolume({ fence: fenceOf(VOLUME_ID, 2) })],
    ["is being deleted", aVolume({ status: "deleting", phase: null })],
  ])("is left alone when it %s", async (_what, volume) => {
    const world = aWorld(volume);
    expect(await keep(world)).toMatchObject({ outcome: "left alone" });
    expect(await recordOf(world)).toEqual(volume);
    expect(world.notifications).toEqual([]);
  });

  it.each(["queued", "scheduled"] as const)(
    "is not brought back when its deletion was asked for while %s",
    async (phase) => {
      const deletion = { delete_requested_at: START, phase };
      const world = aWorld(phase === "queued" ? aVolume(deletion) : aVolumeInFlow(deletion));
      await keep(world);
      expect((await world.fakes.volumes.getMany([VOLUME_ID])).get(VOLUME_ID)?.status).not.toBe("error");
      expect(world.fakes.deadLetters.records.has("m-1")).toBe(true);
    },
  );

  it("is left alone when an attempt takes it between reading and writing", async () => {
    const world = aWorld(aVolume());
    const read = await recordOf(world);
    vi.spyOn(world.fakes.volumes, "get").mockImplementationOnce(async (id) => {
      world.fakes.volumes.records.set(id, aVolumeInFlow({ phase: "creating" }));
      return read;
    });
    expect(await keep(world)).toMatchObject({ outcome: "left alone" });
    expect(await recordOf(world)).toMatchObject({ status: "creating" });
  });

  it("is left alone by a letter that comes again after it was sent again", async () => {
    const world = aWorld(aVolume());
    await keep(world);
    await world.fakes.deadLetters.beginRedrive("m-1", fenceOf(VOLUME_ID, 2));
    world.fakes.volumes.records.set(VOLUME_ID, aVolume({ fence: null }));
    expect(await keep(world)).toMatchObject({ outcome: "left alone" });
    expect(await recordOf(world)).toMatchObject({ status: "creating" });
  });
});
