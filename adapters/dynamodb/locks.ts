import type { Lock } from "../../core/ports.ts";
import { isMissingPath, statement, tryUpdate, type Item, type Statement, type Table } from "./table.ts";

/** Entries of `locks` on a volume or a snapshot: one conditional update each. `#holder` is who locks, given at the call. */

/** A record that another service wrote may have no map of locks. */
const ENSURE_LOCKS = statement("SET #locks = if_not_exists(#locks, :empty)", "attribute_exists(#id)", { ":empty": {} });

/** Locks a record in one of the statuses. Reading a record does not change it, so `updated_at` stays. */
function lockStatement(statuses: readonly string[], ofProject: boolean): Statement {
  const placeholders = statuses.map((_, index) => `:status${index}`);
  return statement(
    "SET #locks.#holder = :lock",
    `#status IN (${placeholders.join(", ")})${ofProject ? " AND #project_id = :project_id" : ""}`,
    Object.fromEntries(statuses.map((status, index) => [`:status${index}`, status])),
  );
}

/** Locks the record and returns it. Undefined, and nothing changed, when its status or its project is another one. */
export async function tryLock(
  table: Table,
  key: string,
  { holder, value }: Lock,
  statuses: readonly string[],
  projectId: string | null,
): Promise<Item | undefined> {
  const prepared = lockStatement(statuses, projectId !== null);
  const parameters = {
    values: { ":lock": value, ...(projectId !== null && { ":project_id": projectId }) },
    names: { "#holder": holder },
    returnItem: true,
  };
  try {
    return await tryUpdate(table, key, prepared, parameters);
  } catch (error) {
    if (!isMissingPath(error)) {
      throw error;
    }
  }
  const exists = (await tryUpdate(table, key, ENSURE_LOCKS, { values: {} })) !== undefined;
  return exists ? tryUpdate(table, key, prepared, parameters) : undefined;
}

/** Takes a lock off; nothing happens when it is not there, or has none of the values, as a later one of the same holder. */
export async function unlock(table: Table, key: string, holder: string, values: readonly string[]): Promise<void> {
  const placeholders = values.map((value, index): [string, string] => [`:lock${index}`, value]);
  const isOurs = `#locks.#holder IN (${placeholders.map(([name]) => name).join(", ")})`;
  const prepared = statement("REMOVE #locks.#holder", isOurs);
  try {
    await tryUpdate(table, key, prepared, {
      values: Object.fromEntries(placeholders),
      names: { "#holder": holder },
    });
  } catch (error) {
    // dynalite looks for the path of what is removed before it looks at the condition.
    if (!isMissingPath(error)) {
      throw error;
    }
  }
}
