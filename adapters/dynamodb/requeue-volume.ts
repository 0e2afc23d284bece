import { InvalidVolume, VolumeNotFound } from "../../core/errors.ts";
import type { Owner } from "../../core/ports.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { TRANSITIONS } from "../../core/volume-transitions.ts";
import { find, type Statement, type Table, tryUpdate } from "./table.ts";
import { transition } from "./volume-conditions.ts";
import { IN_FLOW } from "./overdue.ts";
import { readVolume } from "./volume-item.ts";

/** As the record was read: a column that was null is absent. */
function asRead(column: string, value: string | null): string {
  return value === null ? `attribute_not_exists(#${column})` : `#${column} = :expected_${column}`;
}

/** Removes the host and the previous attempt's data from the record; the attempt's line of the ledger keeps them. */
function requeue(volume: VolumeRecord): Statement {
  const { fence, host, phase } = volume;
  const tests = [
    "#status = :expected_status",
    asRead("fence", fence),
    asRead("host", host),
    asRead("phase", phase),
    "attribute_not_exists(#delete_requested_at)",
  ];
  return transition(
    "requeue",
    "SET #status = :creating, #fence = :fence, #phase = :queued, #bootable = :false, #glance_metadata = :empty, " +
      "#in_flow = :in_flow, #deadline = :deadline, #updated_at = :now REMOVE #host, #provider_location, #progress, #fault",
    { either: [tests.join(" AND ")] },
    { ":creating": "creating", ":queued": "queued", ":false": false, ":empty": {}, ":in_flow": IN_FLOW },
  );
}

/**
 * See `requeue` of the port: one conditional update on the record as it was read.
 *
 * @throws InvalidVolume when it has changed since; VolumeNotFound
 */
export async function requeueVolume(
  table: Table,
  volume: VolumeRecord,
  next: Owner,
  deadline: Date,
  now: Date,
): Promise<VolumeRecord> {
  const values = {
    ":expected_status": volume.status,
    ":expected_fence": volume.fence ?? undefined,
    ":expected_host": volume.host ?? undefined,
    ":expected_phase": volume.phase ?? undefined,
    ":fence": next.fence,
    ":deadline": deadline.toISOString(),
    ":now": now.toISOString(),
  };
  const written = await tryUpdate(table, volume.id, requeue(volume), { values, returnItem: true });
  const item = written ?? (await find(table, volume.id));
  if (item === undefined) {
    throw new VolumeNotFound(volume.id);
  }
  const found = readVolume(item);
  if (!TRANSITIONS.requeue.isRepeat(found, next.fence)) {
    throw new InvalidVolume(`volume ${found.id} is ${found.status}: it has changed since it was read`);
  }
  return found;
}
