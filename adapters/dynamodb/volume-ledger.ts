import { LEDGER_ATTEMPTS } from "../../core/requests/byte-budget.ts";
import type { Owner } from "../../core/ports.ts";
import { cutForAttempt } from "../../core/requests/record-room.ts";
import type { Attempt, VolumeRecord } from "../../core/records.ts";
import { isMissingPath, statement, type Statement } from "./table.ts";
import { transition } from "./volume-conditions.ts";
import { cutting } from "./volume-room.ts";
import type { VolumeWriter } from "./volume-writer.ts";

/** Transitions that write a line of the volume's ledger: the attempts that its record shows. */

/** A volume that another service wrote may have no ledger. */
const ENSURE_LEDGER = statement("SET #attempts = if_not_exists(#attempts, :empty)", "attribute_exists(#id)", {
  ":empty": {},
});

/** An attempt that ends before it had a host has no line in the ledger. */
const ENSURE_LEDGER_LINE = transition(
  "markError",
  "SET #attempts.#number = if_not_exists(#attempts.#number, :attempt)",
);

/** Runs a transition that adds the owner's line to the ledger. */
export async function addToLedger(
  writer: VolumeWriter,
  owner: Owner,
  prepared: Statement,
  values: Record<string, unknown>,
  line: Attempt,
): Promise<VolumeRecord | undefined> {
  const adding = await withLedgerRoom(writer, owner, prepared, values);
  return writeLedger(writer, owner, adding.prepared, adding.values, line);
}

/**
 * Runs a transition that writes the owner's line of the ledger. Where there is no ledger, or no such line, one is made first:
 * `line` is what the attempt's line says then.
 */
export async function writeLedger(
  writer: VolumeWriter,
  owner: Owner,
  prepared: Statement,
  values: Record<string, unknown>,
  line: Attempt,
): Promise<VolumeRecord | undefined> {
  const names = { "#number": String(owner.attempt) };
  const write = (): Promise<VolumeRecord | undefined> => writer.writeAndRead(owner.volumeId, prepared, values, names);
  try {
    return await write();
  } catch (error) {
    if (!isMissingPath(error)) {
      throw error;
    }
  }
  const asFull = (ensuring: Statement): Statement => ({ ...ensuring, makesRoom: prepared.makesRoom ?? "history" });
  await writer.update(owner.volumeId, asFull(ENSURE_LEDGER), { values: {} });
  const added = { ":fence": owner.fence, ":attempt": line };
  const opening = await withLedgerRoom(writer, owner, asFull(ENSURE_LEDGER_LINE), added);
  await writer.update(owner.volumeId, opening.prepared, { values: opening.values, names });
  return write();
}

/**
 * The update that adds a line to the ledger, with the lines that go in the same write where the ledger is full. Only an attempt with a
 * number above the bound costs the read.
 */
async function withLedgerRoom(
  writer: VolumeWriter,
  { volumeId, attempt }: Owner,
  prepared: Statement,
  values: Record<string, unknown>,
): Promise<{ prepared: Statement; values: Record<string, unknown> }> {
  const cut = attempt > LEDGER_ATTEMPTS ? cutForAttempt(await writer.get(volumeId), attempt) : undefined;
  return cut === undefined
    ? { prepared, values }
    : { prepared: cutting(cut, prepared), values: { ...values, ":dropped": cut.dropped } };
}

/** The line of an attempt that never had one. */
export function unopenedAttempt(owner: Owner, at: string): Attempt {
  return { host: null, execution: owner.fence, started_at: at, outcome: "running" };
}
