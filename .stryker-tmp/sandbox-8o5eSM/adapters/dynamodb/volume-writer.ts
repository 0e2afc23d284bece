// @ts-nocheck
import { FenceLost, VolumeDeleteRequested, VolumeNotFound } from "../../core/errors.ts";
import type { Clock, Owner } from "../../core/ports.ts";
import type { Attempt, VolumeRecord } from "../../core/records.ts";
import { find, isMissingPath, tryUpdate, type Statement, type Table, type TableOptions } from "./table.ts";
import { readVolume } from "./volume-item.ts";
import { ENSURE_LEDGER, ENSURE_LEDGER_LINE } from "./volume-statements.ts";

/** Runs the transitions of one volume, and reads it back where the condition of one has failed. */
export class VolumeWriter {
  readonly table: Table;
  readonly #clock: Clock;

  constructor({ client, tableName, clock }: TableOptions) {
    this.table = { client, tableName, key: "id" };
    this.#clock = clock;
  }

  get now(): Date {
    return this.#clock.now();
  }

  /** @throws VolumeNotFound */
  async get(volumeId: string): Promise<VolumeRecord> {
    const item = await find(this.table, volumeId);
    if (item === undefined) {
      throw new VolumeNotFound(volumeId);
    }
    return readVolume(item);
  }

  /** Runs a transition. False when its condition failed. */
  async write(volumeId: string, prepared: Statement, values: Record<string, unknown>): Promise<boolean> {
    return (await tryUpdate(this.table, volumeId, prepared, { values: this.#stamped(values) })) !== undefined;
  }

  /** Runs a transition and returns the record that it made. Undefined when its condition failed. */
  async writeAndRead(
    volumeId: string,
    prepared: Statement,
    values: Record<string, unknown>,
    names: Record<string, string> = {},
  ): Promise<VolumeRecord | undefined> {
    const item = await tryUpdate(this.table, volumeId, prepared, {
      values: this.#stamped(values),
      names,
      returnItem: true,
    });
    return item === undefined ? undefined : readVolume(item);
  }

  #stamped(values: Record<string, unknown>): Record<string, unknown> {
    return { ...values, ":now": this.now.toISOString() };
  }

  /**
   * Runs a transition that writes the owner's line of the ledger. Where there is no ledger, or no such line, one is made first:
   * `line` is what the attempt's line says then.
   */
  async writeLedger(
    owner: Owner,
    prepared: Statement,
    values: Record<string, unknown>,
    line: Attempt,
  ): Promise<VolumeRecord | undefined> {
    const names = { "#number": String(owner.attempt) };
    const write = (): Promise<VolumeRecord | undefined> => this.writeAndRead(owner.volumeId, prepared, values, names);
    try {
      return await write();
    } catch (error) {
      if (!isMissingPath(error)) {
        throw error;
      }
    }
    await tryUpdate(this.table, owner.volumeId, ENSURE_LEDGER, { values: {} });
    await tryUpdate(this.table, owner.volumeId, ENSURE_LEDGER_LINE, {
      values: { ":fence": owner.fence, ":attempt": line },
      names,
    });
    return write();
  }
}

/** @throws VolumeDeleteRequested when the record is the caller's still, or nobody's, and its deletion was asked for; FenceLost */
export function refuse(fence: string, found: VolumeRecord): never {
  if (found.delete_requested_at !== null && (found.fence === null || found.fence === fence)) {
    throw new VolumeDeleteRequested(found.id);
  }
  return refuseAsForeign(fence, found);
}

/** @throws FenceLost, always */
export function refuseAsForeign(fence: string | null, found: VolumeRecord): never {
  const owner = found.fence === null ? "no attempt" : found.fence;
  throw new FenceLost(found.id, fence ?? "nobody", `it is ${found.status} and belongs to ${owner}`);
}
