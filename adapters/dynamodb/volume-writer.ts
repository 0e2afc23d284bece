import { unmarshall } from "@aws-sdk/util-dynamodb";
import { LARGEST_RECORD_BYTES, recordBytes } from "../../core/requests/byte-budget.ts";
import { FenceLost, InvalidInput, VolumeDeleteRequested, VolumeNotFound } from "../../core/errors.ts";
import type { Clock, Owner } from "../../core/ports.ts";
import { cutForWrite, type Expendable } from "../../core/requests/record-room.ts";
import type { VolumeRecord } from "../../core/records.ts";
import {
  find,
  isTooLarge,
  tryUpdate,
  type Item,
  type Statement,
  type Table,
  type TableOptions,
  type UpdateArguments,
} from "./table.ts";
import { readVolume } from "./volume-item.ts";
import { cutting, makeRoom } from "./volume-room.ts";

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

  /**
   * The record that a transition has made. Where its condition failed, the stored record, if it shows that the same call was made before.
   *
   * @param isRepeat as the table of transitions has it
   * @throws VolumeDeleteRequested, FenceLost for a late or foreign call
   */
  async madeOrRepeated(
    made: VolumeRecord | undefined,
    { volumeId, fence }: Pick<Owner, "volumeId" | "fence">,
    isRepeat: (volume: VolumeRecord, fence: string) => boolean = () => false,
  ): Promise<VolumeRecord> {
    const found = made ?? (await this.get(volumeId));
    return found === made || isRepeat(found, fence) ? found : refuse(fence, found);
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
    return (await this.update(volumeId, prepared, { values: this.#stamped(values) })) !== undefined;
  }

  /** Runs a transition and returns the record that it made. Undefined when its condition failed. */
  async writeAndRead(
    volumeId: string,
    prepared: Statement,
    values: Record<string, unknown>,
    names: Record<string, string> = {},
  ): Promise<VolumeRecord | undefined> {
    const item = await this.update(volumeId, prepared, {
      values: this.#stamped(values),
      names,
      returnItem: true,
    });
    return item === undefined ? undefined : readVolume(item);
  }

  /**
   * Runs an update, which may make room in a record that is too full for it.
   *
   * @throws InvalidInput when the record is still too full, and the update is not one that must fit
   */
  async update(volumeId: string, prepared: Statement, parts: UpdateArguments): Promise<Item | undefined> {
    const { makesRoom } = prepared;
    const run = (): Promise<Item | undefined> => tryUpdate(this.table, volumeId, prepared, parts);
    try {
      return await run();
    } catch (error) {
      if (!isTooLarge(error)) {
        throw error;
      }
      if (makesRoom !== undefined && (await this.#makeRoom(volumeId, makesRoom))) {
        return await run().catch((again: unknown) => refuseAsFull(volumeId, prepared, again));
      }
      return refuseAsFull(volumeId, prepared, error);
    }
  }

  /**
   * Removes optional data, in one conditional update that does not change the volume's state. False when nothing can be removed.
   * Interrupted after it: the transition comes again, and fits.
   */
  async #makeRoom(volumeId: string, expendable: Expendable): Promise<boolean> {
    const item = await find(this.table, volumeId);
    const record = item && readVolume(item);
    const cut = record && cutForWrite(record, recordBytes(unmarshall(item ?? {})), expendable);
    if (record === undefined || cut === undefined) {
      return false;
    }
    const { fence } = record;
    const values = { ":dropped": cut.dropped, ...(fence !== null && { ":fence": fence }) };
    await tryUpdate(this.table, volumeId, cutting(cut, makeRoom(fence !== null)), { values: this.#stamped(values) });
    return true;
  }

  #stamped(values: Record<string, unknown>): Record<string, unknown> {
    return { ...values, ":now": this.now.toISOString() };
  }
}

/** @throws InvalidInput for what is too large, unless the volume's end has to fit; otherwise the error itself */
function refuseAsFull(volumeId: string, { makesRoom }: Statement, error: unknown): never {
  if (!isTooLarge(error) || makesRoom === "anything") {
    throw error;
  }
  throw new InvalidInput(
    `the record of volume ${volumeId} has no room left in its ${LARGEST_RECORD_BYTES} bytes: make its description or metadata shorter`,
  );
}

/** @throws VolumeDeleteRequested when the caller still owns the record, or it has no owner, and its deletion was requested; FenceLost */
export function refuse(fence: string, found: VolumeRecord): never {
  if (found.delete_requested_at !== null && (found.fence === null || found.fence === fence)) {
    throw new VolumeDeleteRequested(found.id);
  }
  return refuseAsForeign(fence, found);
}

/** @throws FenceLost, always */
export function refuseExtension(number: number, { id, status, extension }: VolumeRecord): never {
  const last = extension === undefined ? "was never extended" : `has extension ${extension.number}`;
  throw new FenceLost(id, `extension ${number}`, `it is ${status} and ${last}`);
}

/** @throws FenceLost, always */
export function refuseAsForeign(fence: string | null, found: VolumeRecord): never {
  const owner = found.fence === null ? "no attempt" : found.fence;
  throw new FenceLost(found.id, fence ?? "nobody", `it is ${found.status} and belongs to ${owner}`);
}
