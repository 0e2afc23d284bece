import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { deadLetterRecord, GIVEN_UP } from "../../core/dead-letters/dead-letters.ts";
import { fenceOf } from "../../core/records.ts";
import { aMessage, aVolume, aVolumeInFlow, aWorld, VOLUME_ID } from "../support/builders.ts";
import { runCli } from "../support/cli-context.ts";
import { START, type World } from "../support/fakes/world.ts";

const ID = "0d6d1f6c-58a5-4a4b-8f0e-0a2ab6ab1c55";
const OTHER_ID = "0d6d1f6c-58a5-4a4b-8f0e-0a2ab6ab1c56";
const fault = { error: "MessageUndeliverable", cause: GIVEN_UP, attempt: 1, at: START, attempts: [] };
const UNREADABLE = JSON.stringify(aMessage({ snapshot_id: "no" }));

const directory = mkdtempSync(path.join(tmpdir(), "cinderless-redrive-"));
afterAll(() => rmSync(directory, { recursive: true }));

function worldWith(
  volume = aVolume({ status: "error", deadline: null, fault }),
  bodies = [JSON.stringify(aMessage())],
) {
  const world = aWorld(volume);
  bodies.forEach((body, index) => {
    const id = index === 0 ? ID : OTHER_ID;
    const received = { id, body, reason: undefined, bodySha256: "", receivedCount: 6, sentAt: new Date(START) };
    const volumeId = body.includes(VOLUME_ID) ? VOLUME_ID : undefined;
    world.fakes.deadLetters.records.set(id, deadLetterRecord(received, volumeId, new Date(Date.parse(START) + index)));
  });
  return world;
}

const cli = (world: World, ...argv: string[]) => {
  const { backends, deadLetters, queue: schedulerQueue, volumes } = world.deps;
  return runCli(["redrive", ...argv], { backends, deadLetters, schedulerQueue, volumes });
};

describe("redrive list", () => {
  test("shows each dead letter with its volume and reason", async () => {
    const { stdout, status } = await cli(worldWith(), "list");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ID +Volume +Kept +Sen/);
    expect(stdout).toMatch(new RegExp(`^${ID} .*\\n1 dead letter\\n$`, "m"));
    const { stdout: reasons } = await cli(worldWith(), "list", "-f", "value", "-c", "Volume", "-c", "Reason");
    expect(reasons).toBe(`${VOLUME_ID} ${GIVEN_UP}\n`);
  });

  test("says that there are none", async () => {
    expect((await cli(aWorld(), "list")).stdout).toBe("no dead letters\n");
  });

  test("answers with one document, the oldest first", async () => {
    const { stdout } = await cli(worldWith(undefined, [UNREADABLE, "{ no"]), "list", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      dead_letters: [{ id: ID }, { id: OTHER_ID, volume_id: null }],
      total: 2,
    });
  });
});

describe("redrive show", () => {
  test("shows the message in one line, safe for a terminal", async () => {
    const { stdout } = await cli(worldWith(undefined, ['{ "name": "no\u001B[31m\nJSON"']), "show", ID);
    expect(stdout).toMatch(/^message {5}\d+ bytes that are not a message, SHA-256 .*, beginning with: .*$/m);
    expect(stdout).not.toContain("\u001B[31m");
    expect(stdout).toContain("received    6 times\n");
    expect(stdout).toContain("expires     2026-04-01 01:00:00Z\n");
  });

  test("writes chosen fields for scripts, as the other records do", async () => {
    const world = worldWith(undefined, ["{ no"]);
    const { stdout } = await cli(world, "show", ID, "-f", "json", "-c", "ID", "-c", "Received", "-c", "Expires");
    expect(JSON.parse(stdout)).toEqual({ ID, Received: 6, Expires: "2026-04-01T01:00:00.000Z" });
    expect((await cli(world, "show", ID, "-f", "value", "-c", "nothing")).status).toBe(2);
  });

  test("names the dead letter that is not there", async () => {
    const { status, stderr } = await cli(aWorld(), "show", ID);
    expect(status).toBe(1);
    expect(stderr).toBe(
      `error: dead letter ${ID} could not be found (\`cinderless redrive list\` shows the dead letters)\n`,
    );
  });
});

describe("redrive discard", () => {
  test("removes a dead letter for good, and leaves its volume as it is", async () => {
    const world = worldWith();
    const before = await world.fakes.volumes.get(VOLUME_ID);
    const { status, stdout } = await cli(world, "discard", ID, "--yes");
    expect([status, stdout, world.fakes.deadLetters.records.size]).toEqual([0, `dead letter ${ID} is deleted\n`, 0]);
    expect(await world.fakes.volumes.get(VOLUME_ID)).toEqual(before);
  });

  test("removes nothing without a confirmation", async () => {
    const world = worldWith();
    expect([(await cli(world, "discard", ID)).status, world.fakes.deadLetters.records.size]).toEqual([2, 1]);
  });

  test("names the dead letter that is not there", async () => {
    expect((await cli(aWorld(), "discard", ID, "--yes")).stderr).toContain(`dead letter ${ID} could not be found`);
  });
});

describe("redrive", () => {
  test("sends a dead letter again and says as which attempt", async () => {
    const world = worldWith();
    const { status, stdout } = await cli(world, ID.toUpperCase());
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `dead letter ${ID} is sent again: volume ${VOLUME_ID}, attempt 2\n`,
    });
    expect(world.casts).toHaveLength(1);
    expect(await world.fakes.volumes.get(VOLUME_ID)).toMatchObject({
      status: "creating",
      fence: fenceOf(VOLUME_ID, 2),
    });
  });

  test("names why it does not, in one line", async () => {
    const world = worldWith(aVolumeInFlow({ status: "available", phase: null, deadline: null }));
    const { status, stderr } = await cli(world, ID);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: dead letter .* was not sent again: .* is available; .* \(cinderless show .*\)\n$/);
  });

  test("says how an unreadable message can be corrected, and takes the corrected one", async () => {
    const world = worldWith(undefined, [UNREADABLE]);
    expect((await cli(world, ID)).stderr).toContain(`redrive ${ID} --message FILE sends a corrected message`);
    const file = path.join(directory, "cast.json");
    writeFileSync(file, JSON.stringify(aMessage()));
    expect(await cli(world, ID, "--message", file)).toMatchObject({ status: 0, stderr: "" });
  });

  test("continues after a refusal, and reports both", async () => {
    const world = worldWith(undefined, [UNREADABLE, JSON.stringify(aMessage())]);
    const { status, stdout } = await cli(world, "--all", "--json");
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      redriven: [{ id: OTHER_ID, volume_id: VOLUME_ID, attempt: 2 }],
      refused: [{ id: ID, volume_id: VOLUME_ID, error: "InvalidInput" }],
    });
  });

  test("of two letters of one volume sends one, because the volume is an attempt's then", async () => {
    const world = worldWith(undefined, [JSON.stringify(aMessage()), JSON.stringify(aMessage())]);
    const { stderr } = await cli(world, "--all");
    expect(world.casts).toHaveLength(1);
    expect(stderr).toContain("is being created by attempt 2");
  });

  test("leaves out with --all what was sent again before", async () => {
    const world = worldWith();
    await cli(world, "--all");
    expect((await cli(world, "--all")).stdout).toBe("no dead letters to send again\n");
    expect(world.casts).toHaveLength(1);
  });

  test.each([
    [[], "name the dead letters by their ids, or use --all"],
    [["--all", ID], "name the dead letters by their ids, or use --all"],
    [["--all", "--message", "f"], "--message is for one dead letter"],
    [["not-an-id"], "the id of a dead letter must be a UUID, not 'not-an-id'"],
    [["show", "../x"], "the id of a dead letter must be a UUID"],
    [["list", "--limit", "0"], "--limit"],
  ])("refuses the command line %j", async (argv, message) => {
    const { status, stderr } = await cli(worldWith(), ...argv);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });

  test("names the file of a message that is not there", async () => {
    const file = path.join(directory, "none.json");
    const { status, stderr } = await cli(worldWith(), ID, "--message", file);
    expect({ status, stderr }).toEqual({ status: 1, stderr: `error: ${file}: no such file\n` });
  });

  test("explains itself with examples", async () => {
    const { status, stdout } = await runCli(["redrive", "--help"]);
    expect(status).toBe(0);
    expect(stdout).toContain("$ cinderless redrive --all");
  });
});
