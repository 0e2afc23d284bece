import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DynamoDbDeadLetterRepository } from "../../adapters/dynamodb/dead-letter-repository.ts";
import { deadLetterRecord } from "../../core/dead-letters/dead-letters.ts";
import type { DeadLetterRepository } from "../../core/ports.ts";
import { startTables, type TestTables } from "../support/dynalite.ts";
import { DeadLettersFake } from "../../simulation/stores/dead-letters.ts";

const NOW = new Date("2026-01-01T01:00:00.000Z");
const VOLUME_ID = randomUUID();

let tables: TestTables;
let stored: DeadLetterRepository;

beforeAll(async () => {
  tables = await startTables();
  stored = new DynamoDbDeadLetterRepository({ client: tables.client, tableName: "dead_letters" });
});
afterAll(() => tables.close());

function aLetter(body = "{ no JSON", volumeId?: string) {
  const received = { id: randomUUID(), body, reason: "no JSON", bodySha256: "", receivedCount: 1, sentAt: NOW };
  return deadLetterRecord(received, volumeId, NOW);
}

describe.each([
  ["in DynamoDB", () => stored],
  ["of the unit tests", () => new DeadLettersFake()],
])("the dead letters %s", (_where, make) => {
  test("are kept as they are, with a volume or without one", async () => {
    const letters = make();
    for (const letter of [aLetter(), aLetter("{}", VOLUME_ID)]) {
      expect(await letters.keep(letter)).toEqual(letter);
      expect(await letters.get(letter.id)).toEqual(letter);
    }
  });

  test("keep the first record of an id, and return it to a repeat", async () => {
    const letters = make();
    const letter = aLetter();
    await letters.keep(letter);
    await letters.beginRedrive(letter.id, "fence-a2");
    const again = await letters.keep({ ...letter, kept_at: "2026-01-02T00:00:00.000Z" });
    expect(again).toEqual({ ...letter, redrive_fence: "fence-a2" });
  });

  test("say when they were sent again", async () => {
    const letters = make();
    const letter = aLetter("{}", VOLUME_ID);
    await letters.keep(letter);
    await letters.beginRedrive(letter.id, "fence-a2");
    await letters.markRedriven(letter.id, NOW);
    expect(await letters.get(letter.id)).toMatchObject({ redrive_fence: "fence-a2", redriven_at: NOW.toISOString() });
  });

  test("are not made by a redrive of one that has expired", async () => {
    const letters = make();
    const id = randomUUID();
    await letters.beginRedrive(id, "fence-a2");
    await letters.markRedriven(id, NOW);
    expect(await letters.get(id)).toBeUndefined();
  });

  test("are listed in pages, each once", async () => {
    const letters = make();
    const ids = [aLetter(), aLetter(), aLetter()].map(({ id }) => id);
    for (const id of ids) {
      await letters.keep({ ...aLetter(), id });
    }
    const found: string[] = [];
    let from: string | undefined;
    do {
      const page = await letters.list(2, from);
      found.push(...page.items.map(({ id }) => id));
      from = page.next;
    } while (from !== undefined);
    expect(new Set(found).size).toBe(found.length);
    expect(found).toEqual(expect.arrayContaining(ids));
  });
});

test("as large as a message may be fit their items", async () => {
  const letter = aLetter("\u00E9".repeat(131_072));
  await stored.keep(letter);
  expect((await stored.get(letter.id))?.body).toBe(letter.body);
});
