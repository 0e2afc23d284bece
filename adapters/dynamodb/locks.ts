import type { AsLocked, Lock } from "../../core/ports.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { isMissingPath, statement, tryUpdate, type Item, type Statement, type Table } from "./table.ts";

/** A source's own record says how often it was locked, and has entries that an earlier release has left. */

/** Reading a record does not change it, so `updated_at` stays. */
function countStatement(statuses: readonly string[], ofProject: boolean): Statement {
  const placeholders = statuses.map((_, index) => `:status${index}`);
  return statement(
    "SET #times_locked = if_not_exists(#times_locked, :zero) + :one",
    `#status IN (${placeholders.join(", ")})${ofProject ? " AND #project_id = :project_id" : ""}`,
    { ...Object.fromEntries(statuses.map((status, index) => [`:status${index}`, status])), ":zero": 0, ":one": 1 },
  );
}

/** Counts a lock and returns the record. Undefined, and nothing changed, when its status or its project is another one. */
export function countLock(
  table: Table,
  key: string,
  statuses: readonly string[],
  projectId: string | null,
): Promise<Item | undefined> {
  const values = projectId === null ? {} : { ":project_id": projectId };
  return tryUpdate(table, key, countStatement(statuses, projectId !== null), { values, returnItem: true });
}

/** The condition that a source was not locked since it was read. Its value is `:times_locked` if it was locked before. */
export function notLockedSince({ times_locked: times }: Pick<AsLocked, "times_locked">): string {
  return times === undefined ? "attribute_not_exists(#times_locked)" : "#times_locked = :times_locked";
}

/** The value of {@link notLockedSince}. */
export function timesLocked({ times_locked: times }: Pick<AsLocked, "times_locked">): Record<string, number> {
  return times === undefined ? {} : { ":times_locked": times };
}

/** The columns of a stored source that concern its locks. */
export function lockColumns({ times_locked: times, locks }: StoredLocks): Pick<VolumeRecord, "times_locked" | "locks"> {
  const hasEntries = locks !== undefined && locks !== null && Object.keys(locks).length > 0;
  return { ...(typeof times === "number" && { times_locked: times }), ...(hasEntries && { locks }) };
}

type StoredLocks = { times_locked?: number | null; locks?: Record<string, string> | null };

const FORGET = statement("REMOVE #locks.#holder", "#locks.#holder = :lock");

/** Removes an entry that an earlier release has left; nothing happens when it is not there, or has another value. */
export async function forgetLock(table: Table, key: string, { holder, value }: Lock): Promise<void> {
  try {
    await tryUpdate(table, key, FORGET, { values: { ":lock": value }, names: { "#holder": holder } });
  } catch (error) {
    // dynalite looks for the path of what is removed before it looks at the condition.
    if (!isMissingPath(error)) {
      throw error;
    }
  }
}
