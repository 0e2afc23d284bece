import type { RecordCut } from "../../core/requests/record-room.ts";
import { statement, type Statement } from "./table.ts";

/** Updates make room in a record that is too full for them, by removing a part of it (`core/requests/record-room.ts`). */

/** An update that ends a volume, removes it or requests its removal: it always fits. */
export function ending(prepared: Statement): Statement {
  return { ...prepared, makesRoom: "anything" };
}

/** An update with which the flow continues: it is refused before the volume loses data of its user. */
export function goingOn(prepared: Statement): Statement {
  return { ...prepared, makesRoom: "history" };
}

/** The update, which also removes parts of the record. Its value is `:dropped`. It must have no REMOVE of its own. */
export function cutting(cut: RecordCut, prepared: Statement): Statement {
  const { update, condition } = prepared;
  const paths = cut.paths.map(([column, key], index) => `#${column}${key === undefined ? "" : `.#cut${index}`}`);
  const made = statement(`${update}, #dropped = :dropped REMOVE ${paths.join(", ")}`, condition);
  return { ...prepared, update: made.update, names: { ...made.names, ...cutNames(cut) } };
}

function cutNames({ paths }: RecordCut): Record<string, string> {
  return Object.fromEntries(paths.flatMap(([, key], index) => (key === undefined ? [] : [[`#cut${index}`, key]])));
}

/** Makes room in a record, while it has the owner with whom it was read. */
export function makeRoom(isOwned: boolean): Statement {
  return statement(
    "SET #updated_at = :now",
    `attribute_exists(#id) AND ${isOwned ? "#fence = :fence" : "attribute_not_exists(#fence)"}`,
  );
}
