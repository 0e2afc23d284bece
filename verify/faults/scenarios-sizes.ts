import { LARGEST_RECORD_BYTES, LEDGER_ATTEMPTS, recordBytes } from "../../core/requests/byte-budget.ts";
import { type Attempt, fenceOf, type VolumeRecord } from "../../core/records.ts";
import { redrivenRetry } from "../../core/scheduling/retry.ts";
import { type Account, START } from "../../simulation/account.ts";
import { EMOJI_METADATA } from "./expected.ts";
import { FIRST_HOST, VOLUME } from "../../simulation/identifiers.ts";
import { arrange, STALE_LOCK, driverOf, drivers, type Scenario, send } from "./scenario.ts";

/** Requests and records near the limits of AWS, which the stores enforce: nothing may get stuck, and the cause must not get lost. */

/** Items of metadata. */
function items(count: number, value: string): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`key-${index}`, value]));
}

/** 137 kB: near the share of a request. */
const NEAR_THE_BUDGET = items(520, "x".repeat(255));

/** A ledger that is full, with the longest causes. */
function fullLedger(): VolumeRecord["attempts"] {
  const line = (number: number): Attempt => ({
    host: FIRST_HOST,
    execution: fenceOf(VOLUME, number),
    started_at: START,
    ended_at: START,
    outcome: "rescheduled",
    error: "VolumeBackendAPIException",
    cause: "\u20AC".repeat(500),
  });
  return Object.fromEntries(Array.from({ length: LEDGER_ATTEMPTS }, (_, index) => [index + 1, line(index + 1)]));
}

/** Begins as a redrive leaves it: the volume waits for the attempt after the last of its ledger. */
function redrive(account: Account): string[] {
  const next = LEDGER_ATTEMPTS + 1;
  arrange(account, { attempts: fullLedger(), fence: fenceOf(VOLUME, next) });
  account.wasRedriven = true;
  return send(account, { filter_properties: { retry: redrivenRetry(next) } });
}

/** Fills columns of the record until so many bytes of its item are left. */
function fill(account: Account, left: number, columnsOf: (filler: string) => Partial<VolumeRecord>): void {
  const record = account.stores.volumes.records.get(VOLUME);
  if (record === undefined) {
    throw new Error("the scenario has no volume");
  }
  const filler = "x".repeat(LARGEST_RECORD_BYTES - left - recordBytes({ ...record, ...columnsOf("") }));
  account.stores.volumes.records.set(VOLUME, { ...record, ...columnsOf(filler) });
}

/** Stale locks with names as long as the filler in total; a name has at most 65,535 bytes. */
function locksOf(filler: string): Record<string, string> {
  const length = Math.ceil(filler.length / 10);
  const parts = Array.from({ length: 10 }, (_, index) => filler.slice(index * length, (index + 1) * length));
  return Object.fromEntries(parts.map((part, index) => [`holder${index}${part}`, STALE_LOCK]));
}

export const SIZES: readonly Scenario[] = [
  {
    name: "metadata near the byte budget, refused by every backend",
    end: "error",
    begin: (account) => {
      arrange(account, { metadata: NEAR_THE_BUDGET });
      drivers(account).forEach((driver) => (driver.refuses = true));
      return send(account, {
        request_spec: { volume_id: VOLUME, volume_properties: { size: 2, metadata: NEAR_THE_BUDGET } },
      });
    },
  },
  {
    name: "100 metadata items of 255 emoji",
    makes: "an empty volume with much metadata",
    end: "available",
    begin: (account) => {
      arrange(account, { metadata: EMOJI_METADATA });
      return send(account);
    },
  },
  {
    name: "redriven with a full ledger, and rescheduled",
    makes: "an empty volume",
    end: "available",
    begin: (account) => {
      const ids = redrive(account);
      driverOf(account, FIRST_HOST).refuses = true;
      return ids;
    },
  },
  {
    name: "redriven with a full ledger, refused by every backend",
    end: "error",
    begin: (account) => {
      const ids = redrive(account);
      drivers(account).forEach((driver) => (driver.refuses = true));
      return ids;
    },
  },
  {
    name: "redriven with a record full of older attempts and locks, and rescheduled",
    mostCells: 300,
    makes: "an empty volume",
    end: "available",
    begin: (account) => {
      const ids = redrive(account);
      driverOf(account, FIRST_HOST).refuses = true;
      fill(account, 10, (filler) => ({ locks: locksOf(filler) }));
      return ids;
    },
  },
  {
    name: "a record without room for its end",
    withinSeconds: 30,
    end: "error",
    begin: (account) => {
      arrange(account);
      fill(account, 10, (filler) => ({ metadata: { filler } }));
      return send(account);
    },
  },
];
