import { describe, expect, it } from "vitest";
import { FAILURE_BYTES, LARGEST_RECORD_BYTES, LEDGER_ATTEMPTS, recordBytes } from "../../core/requests/byte-budget.ts";
import { buildFault } from "../../core/fault.ts";
import { cutForAttempt, cutForWrite } from "../../core/requests/record-room.ts";
import type { Attempt, VolumeRecord } from "../../core/records.ts";
import { aVolumeInFlow } from "../support/builders.ts";
import { START } from "../support/fakes/world.ts";

const line = (number: number, columns: Partial<Attempt> = {}): Attempt => ({
  host: "node@first#pool",
  execution: `e${number}`,
  started_at: START,
  ended_at: START,
  outcome: "error",
  error: `E${number}`,
  cause: "c",
  ...columns,
});

function ledger(count: number, suspects: readonly number[] = []): VolumeRecord["attempts"] {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  return Object.fromEntries(
    numbers.map((number) => [number, line(number, suspects.includes(number) ? { suspected_orphan: true } : {})]),
  );
}

describe("a ledger", () => {
  it.each([0, 1, LEDGER_ATTEMPTS - 1])("of %i lines has room for another one", (count) => {
    expect(cutForAttempt({ attempts: ledger(count) }, count + 1)).toBeUndefined();
  });

  it("that is full drops its second line for another one, because the first one stays", () => {
    expect(cutForAttempt({ attempts: ledger(LEDGER_ATTEMPTS) }, LEDGER_ATTEMPTS + 1)).toEqual({
      paths: [["attempts", "2"]],
      dropped: { attempts: 1 },
    });
  });

  it("that was written without a bound drops all lines above it, and counts those dropped before", () => {
    const cut = cutForAttempt({ attempts: ledger(50), dropped: { attempts: 7, columns: ["request"] } }, 51);
    expect(cut?.paths).toHaveLength(19);
    expect(cut?.dropped).toEqual({ attempts: 26, columns: ["request"] });
  });

  it("drops lines with a suspected orphan after all others", () => {
    const attempts = ledger(LEDGER_ATTEMPTS + 1, [2, 3]);
    expect(cutForAttempt({ attempts }, 99)?.paths).toEqual([
      ["attempts", "4"],
      ["attempts", "5"],
    ]);
  });

  it("drops nothing for an attempt that has its line", () => {
    expect(cutForAttempt({ attempts: ledger(50) }, 50)).toBeUndefined();
  });
});

describe("the fault of a volume with many attempts", () => {
  it("names the first and the newest ones, and says how many were dropped and how many are in the ledger only", () => {
    const volume = aVolumeInFlow({ attempts: ledger(LEDGER_ATTEMPTS), dropped: { attempts: 9 } });
    const { attempts } = buildFault(volume, LEDGER_ATTEMPTS, "E", "c", new Date(START));
    expect(attempts).toHaveLength(20);
    expect(attempts[0]).toContain("attempt 1 ");
    expect(attempts[1]).toBe("12 attempts are in the ledger only; 9 older attempts were dropped from the ledger");
    expect(attempts.at(-1)).toContain(`attempt ${LEDGER_ATTEMPTS - 1} `);
  });

  it("has room in the share of failures with the longest texts", () => {
    const attempts = Object.fromEntries(
      Object.entries(ledger(LEDGER_ATTEMPTS)).map(([number, each]) => [number, { ...each, cause: "€".repeat(500) }]),
    );
    const fault = buildFault(aVolumeInFlow({ attempts }), LEDGER_ATTEMPTS, "E", "€".repeat(900), new Date(START));
    expect(recordBytes({ fault })).toBeLessThan(FAILURE_BYTES);
  });
});

describe("a record that is too full for its end", () => {
  const cut = (volume: VolumeRecord): VolumeRecord => {
    const found = cutForWrite(volume, recordBytes(volume), "anything");
    const result = structuredClone(volume) as unknown as Record<string, Record<string, unknown> | null>;
    for (const [column, key] of found?.paths ?? []) {
      if (key === undefined) {
        result[column] = null;
      } else {
        Reflect.deleteProperty(result[column] ?? {}, key);
      }
    }
    return result as unknown as VolumeRecord;
  };

  it("gives up progress, request and middle lines of the ledger before anything that users said", () => {
    const volume = aVolumeInFlow({
      attempts: ledger(LEDGER_ATTEMPTS),
      metadata: { key: "x".repeat(LARGEST_RECORD_BYTES - 20_000) },
      request: { request_id: "r".repeat(12_000), roles: [] },
      progress: { bytes_done: 1, bytes_total: 2, updated_at: START, hash_state: "h".repeat(8_000) },
    });
    const left = cut(volume);
    expect(left.metadata).toEqual(volume.metadata);
    expect(left.progress).toBeNull();
    expect(left.request).toBeNull();
    expect(left.attempts).toHaveProperty("1");
    expect(left.attempts).toHaveProperty(String(LEDGER_ATTEMPTS));
  });

  it.each([
    ["one heavy value", { key: "x".repeat(LARGEST_RECORD_BYTES - 2_000) }],
    [
      "hundreds of items of 255 emoji",
      Object.fromEntries(Array.from({ length: 396 }, (_, index) => [`k${index}`, "😀".repeat(255)])),
    ],
    [
      "thousands of small items",
      Object.fromEntries(Array.from({ length: 37_000 }, (_, index) => [`k${index}`, "xxxx"])),
    ],
  ])("gives up metadata where nothing else is left, and has room then: %s", (_what, metadata) => {
    const volume = aVolumeInFlow({ metadata });
    expect(recordBytes(cut(volume))).toBeLessThanOrEqual(LARGEST_RECORD_BYTES - FAILURE_BYTES);
    expect(cutForWrite(volume, recordBytes(volume), "anything")?.dropped).toEqual({ columns: ["metadata"] });
  });
});

describe("a record that is too full for its flow to continue", () => {
  it("gives up middle lines of the ledger only", () => {
    const volume = aVolumeInFlow({
      attempts: ledger(LEDGER_ATTEMPTS),
      metadata: { key: "x".repeat(LARGEST_RECORD_BYTES - 8_000) },
      request: { request_id: "r", roles: [] },
      progress: { bytes_done: 1, bytes_total: 2, updated_at: START },
    });
    const cut = cutForWrite(volume, recordBytes(volume), "history");
    expect(new Set(cut?.paths.map(([column]) => column))).toEqual(new Set(["attempts"]));
    expect(cut?.paths).not.toContainEqual(["attempts", "1"]);
    expect(cut?.paths).not.toContainEqual(["attempts", String(LEDGER_ATTEMPTS)]);
  });

  it("gives up nothing where it has no older attempts", () => {
    const volume = aVolumeInFlow({ metadata: { key: "x".repeat(LARGEST_RECORD_BYTES - 2_000) } });
    expect(cutForWrite(volume, recordBytes(volume), "history")).toBeUndefined();
  });
});
