import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { buildCreateRequest } from "../../core/requests/create-request.ts";
import { GIVEN_UP } from "../../core/dead-letters/dead-letters.ts";
import type { CreateVolumeMessage } from "../../core/requests/messages.ts";
import { fenceOf } from "../../core/records.ts";
import { runChild } from "../support/child.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type CinderlessUnderTest, startUnderTest } from "../support/local-cinderless.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const TOKEN = "gAAAAABlBcUvZk9Qm3";

let under: CinderlessUnderTest;
const temporary = temporaryDirectory();

beforeAll(async () => {
  under = await startUnderTest();
  writeFileSync(path.join(temporary.path, "outputs.json"), JSON.stringify({ Cinderless: under.cloud.outputs }));
  writeFileSync(path.join(temporary.path, "environment.json"), JSON.stringify(under.cloud.environment));
});

afterAll(async () => {
  await under.stop();
  temporary[Symbol.dispose]();
});

/** The command line, as an operator runs it. */
function redrive(...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const outputs = path.join(temporary.path, "outputs.json");
  return runChild("cli/cinderless.js", ["redrive", ...args, "--outputs", outputs]);
}

/** A volume whose record stands, and whose message was not sent. */
async function waitingVolume(): Promise<{ id: string; message: CreateVolumeMessage }> {
  const ids = { volumeId: randomUUID(), requestId: `req-${randomUUID()}` };
  const { record, message } = buildCreateRequest({ sizeGib: 1 }, new Date(), ids);
  await under.volumes.create(record);
  return { id: record.id, message };
}

describe("a message that was given up", () => {
  it("is kept without its token, decides its volume, and makes it available when it is sent again", async () => {
    const { id, message } = await waitingVolume();
    await under.giveUp(JSON.stringify({ ...message, context: { ...message.context, auth_token: TOKEN } }));
    const [letter] = await under.deadLetters(1);
    expect(letter).toMatchObject({ volume_id: id, reason: GIVEN_UP, redriven_at: null });
    expect(letter?.body).not.toContain(TOKEN);
    const failed = await under.settled(id);
    expect(failed).toMatchObject({ status: "error", fault: { error: "MessageUndeliverable", attempt: 1 } });

    expect(await redrive(letter?.id ?? "")).toEqual({
      status: 0,
      stdout: `dead letter ${letter?.id} is sent again: volume ${id}, attempt 2\n`,
      stderr: "",
    });
    const volume = await under.settled(id);
    expect(volume).toMatchObject({ status: "available", fence: fenceOf(id, 2), fault: null });
    expect(Object.keys(volume.attempts)).toEqual(["2"]);
    expect(under.files().filter((name) => name.includes(id))).toHaveLength(1);
  });
});

describe("a message that cannot be read", () => {
  it("puts its volume in error, and a corrected one makes it available", async () => {
    const { id, message } = await waitingVolume();
    await under.send(JSON.stringify({ ...message, snapshot_id: "not-a-uuid" }));
    const [letter] = await under.deadLetters(1);
    expect(letter?.reason).toContain("snapshot_id must be a UUID");
    expect(await under.settled(id)).toMatchObject({ status: "error", fault: { error: "InvalidInput" } });

    const refused = await redrive(letter?.id ?? "");
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^error: dead letter .* was not sent again: .*snapshot_id must be a UUID.*\n$/);

    const corrected = path.join(temporary.path, "cast.json");
    writeFileSync(corrected, JSON.stringify(message));
    expect(await redrive(letter?.id ?? "", "--message", corrected)).toMatchObject({ status: 0 });
    expect(await under.settled(id)).toMatchObject({ status: "available" });
  });
});

describe("the command line", () => {
  it("lists the dead letters, shows one, and sends all again whose volumes allow it", async () => {
    const one = await waitingVolume();
    const other = await waitingVolume();
    await under.giveUp(JSON.stringify(one.message));
    await under.giveUp(JSON.stringify(other.message));
    await under.giveUp("{ no JSON");
    const letters = await under.deadLetters(3);
    await Promise.all([under.settled(one.id), under.settled(other.id)]);

    const listed = await redrive("list", "--json");
    const { dead_letters: rows } = JSON.parse(listed.stdout) as { dead_letters: { id: string }[] };
    expect(rows.map(({ id }) => id)).toEqual(expect.arrayContaining(letters.map(({ id }) => id)));
    const letterOfOne = letters.find(({ volume_id }) => volume_id === one.id);
    expect((await redrive("show", letterOfOne?.id ?? "")).stdout).toContain(GIVEN_UP);

    const all = await redrive("--all", "--json");
    expect(all.status).toBe(1);
    expect(JSON.parse(all.stdout)).toMatchObject({
      redriven: expect.arrayContaining([
        expect.objectContaining({ volume_id: one.id, attempt: 2 }),
        expect.objectContaining({ volume_id: other.id, attempt: 2 }),
      ]),
      refused: expect.arrayContaining([expect.objectContaining({ volume_id: null, error: "InvalidInput" })]),
    });
    const ended = await Promise.all([under.settled(one.id), under.settled(other.id)]);
    expect(ended.map(({ status }) => status)).toEqual(["available", "available"]);
  });
});
