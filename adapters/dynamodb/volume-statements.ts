import type { AsLocked } from "../../core/ports.ts";
import { STATUSES_IN_FLOW } from "../../core/records.ts";
import type { RecordCut } from "../../core/requests/record-room.ts";
import { notLockedSince } from "./locks.ts";
import { statement, type Statement } from "./table.ts";
import { IN_FLOW } from "./overdue.ts";

/**
 * The updates of a volume, one for each transition. Each names the owner and the statuses it expects in its condition, so that a
 * late or foreign write changes nothing.
 */

const [CREATING, DOWNLOADING, MIGRATION_TARGET_CREATING] = STATUSES_IN_FLOW;

/** Values that have the names of their placeholders. */
function constants(...values: string[]): Record<string, string> {
  return Object.fromEntries(values.map((value) => [`:${value}`, value]));
}

/** A status of the flow, which an operator may set as well. Uses {@link FLOW_STATUSES}. */
const HAS_FLOW_STATUS = "#status IN (:creating, :downloading, :migration_target_creating)";

const FLOW_STATUSES = constants(...STATUSES_IN_FLOW);

/** The flow owns the record: see `isInFlow` of core, which these two conditions are. */
const IS_IN_FLOW = `attribute_exists(#in_flow) AND ${HAS_FLOW_STATUS}`;

/** Another service has put the record, and it was not written since. */
const IS_UNTOUCHED =
  "attribute_not_exists(#fence) AND attribute_not_exists(#fault) AND attribute_not_exists(#reset_at)";

/** The attempt owns the record. */
const IS_MINE = "#fence = :fence";

/** The volume's deletion was not requested. */
const IS_WANTED = "attribute_not_exists(#delete_requested_at)";

const IS_MINE_IN_FLOW = `${IS_MINE} AND ${IS_WANTED} AND ${IS_IN_FLOW}`;

/**
 * In the flow, or about to enter it, and owned by no attempt. AND binds before OR, here and below: brackets would cost dynalite's parser
 * more than everything else that it does for the call.
 */
const IS_UNOWNED_IN_FLOW =
  `attribute_not_exists(#fence) AND ${IS_WANTED} AND ${IS_IN_FLOW}` +
  ` OR ${IS_UNTOUCHED} AND ${IS_WANTED} AND ${HAS_FLOW_STATUS}`;

/** The same, or handed over to this attempt, which has no host yet. */
const IS_FREE_IN_FLOW = `${IS_UNOWNED_IN_FLOW} OR ${IS_MINE_IN_FLOW} AND attribute_not_exists(#host)`;

const LEAVE_INDEX = "#in_flow, #deadline";

const TAKE =
  "SET #host = :host, #availability_zone = :availability_zone, #scheduled_at = :scheduled_at, #fence = :fence, " +
  "#attempts.#number = :attempt, #phase = :phase, #in_flow = :in_flow, #deadline = :deadline, #updated_at = :now";

/** Closes the line `#number` of the ledger. */
const CLOSE_FAILED_ATTEMPT =
  "#attempts.#number.#outcome = :outcome, #attempts.#number.#ended_at = :ended_at, " +
  "#attempts.#number.#error = :error, #attempts.#number.#cause = :cause";

const CLOSE_WITH_ORPHAN = `${CLOSE_FAILED_ATTEMPT}, #attempts.#number.#suspected_orphan = :suspected_orphan`;

export const ASSIGN_HOST = goingOn(
  statement(TAKE, IS_FREE_IN_FLOW, { ...FLOW_STATUSES, ":in_flow": IN_FLOW, ":phase": "scheduled" }),
);

/**
 * Takes a volume back into the flow that another service put in `error` before any attempt owned it, as Cinder does. The flow put a volume
 * with a fault there, and published it: it stays.
 */
export const ASSIGN_HOST_IN_ERROR = goingOn(
  statement(`${TAKE}, #status = :creating`, `#status = :error_status AND ${IS_UNTOUCHED}`, {
    ":creating": CREATING,
    ":error_status": "error",
    ":in_flow": IN_FLOW,
    ":phase": "scheduled",
  }),
);

/** An update that ends a volume, removes it or requests its removal: it always fits. */
function ending(prepared: Statement): Statement {
  return { ...prepared, makesRoom: "anything" };
}

/** An update with which the flow continues: it is refused before the volume loses data of its user. */
function goingOn(prepared: Statement): Statement {
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
    `attribute_exists(#id) AND ${isOwned ? IS_MINE : "attribute_not_exists(#fence)"}`,
  );
}

/** A volume that another service wrote may have no ledger. */
export const ENSURE_LEDGER = statement("SET #attempts = if_not_exists(#attempts, :empty)", "attribute_exists(#id)", {
  ":empty": {},
});

/** An attempt that ends before it had a host has no line in the ledger. */
export const ENSURE_LEDGER_LINE = statement(
  "SET #attempts.#number = if_not_exists(#attempts.#number, :attempt)",
  IS_MINE_IN_FLOW,
  FLOW_STATUSES,
);

export const BEGIN_CREATE = statement(
  "SET #phase = :phase, #in_flow = :in_flow, #deadline = :deadline, #updated_at = :now",
  IS_MINE_IN_FLOW,
  { ...FLOW_STATUSES, ":in_flow": IN_FLOW, ":phase": "creating" },
);

/** @param columns further columns, each set to the value of its name. */
export function persistModelUpdate(columns: readonly string[]) {
  const assignments = ["phase", ...columns].map((column) => `#${column} = :${column}`).join(", ");
  return statement(`SET ${assignments}, #updated_at = :now`, IS_MINE_IN_FLOW, FLOW_STATUSES);
}

const SAVE_PROGRESS =
  "SET #progress = :progress, #phase = :phase, #in_flow = :in_flow, #deadline = :deadline, #updated_at = :now";

const PROGRESS_CONSTANTS = { ...FLOW_STATUSES, ":in_flow": IN_FLOW, ":phase": "copying" };

/** Progress never moves back, unless the image is another one. */
export const SAVE_PROGRESS_OF_IMAGE = statement(
  SAVE_PROGRESS,
  [
    "attribute_not_exists(#progress.#image_tag)",
    "#progress.#image_tag <> :image_tag",
    "#progress.#bytes_done <= :bytes_done",
  ]
    .map((mayReplace) => `${IS_MINE_IN_FLOW} AND ${mayReplace}`)
    .join(" OR "),
  PROGRESS_CONSTANTS,
);

/** The same for progress that names no image. */
export const SAVE_UNTAGGED_PROGRESS = statement(
  SAVE_PROGRESS,
  ["attribute_not_exists(#progress)", "attribute_exists(#progress.#image_tag)", "#progress.#bytes_done <= :bytes_done"]
    .map((mayReplace) => `${IS_MINE_IN_FLOW} AND ${mayReplace}`)
    .join(" OR "),
  PROGRESS_CONSTANTS,
);

export const MARK_BOOTABLE = statement(
  "SET #bootable = :bootable, #glance_metadata = :glance_metadata, #updated_at = :now",
  IS_MINE_IN_FLOW,
  { ...FLOW_STATUSES, ":bootable": true },
);

export function markAvailable(columns: readonly string[]) {
  const assignments = columns.map((column) => `, #${column} = :${column}`).join("");
  return ending(
    statement(
      "SET #status = :status, #launched_at = if_not_exists(#launched_at, :launched_at), " +
        "#attempts.#number.#outcome = :outcome, #attempts.#number.#ended_at = :launched_at, " +
        `#updated_at = :now${assignments} REMOVE ${LEAVE_INDEX}, #phase, #progress, #fault`,
      IS_MINE_IN_FLOW,
      { ...FLOW_STATUSES, ":outcome": "created" },
    ),
  );
}

/** The phase stays: it shows whether the backend may hold the volume. */
export const MARK_ERROR = ending(
  statement(
    `SET #status = :status, #fault = :fault, ${CLOSE_FAILED_ATTEMPT}, #updated_at = :now REMOVE ${LEAVE_INDEX}, #progress`,
    IS_MINE_IN_FLOW,
    { ...FLOW_STATUSES, ":status": "error", ":outcome": "error" },
  ),
);

/**
 * Hands the record to the next attempt as if no attempt had been made. One update cannot keep one status and replace another, so
 * there is one for a migration's target, which keeps its status, and one for everything else, which returns to `creating`.
 */
export function releaseForReschedule(suspectedOrphan: boolean, migrationTarget: boolean, inPhase: boolean) {
  return goingOn(
    statement(
      `SET ${suspectedOrphan ? CLOSE_WITH_ORPHAN : CLOSE_FAILED_ATTEMPT}, #fence = :next, #status = :status, #phase = :phase, ` +
        "#bootable = :bootable, #glance_metadata = :empty, #scheduled_at = :ended_at, #in_flow = :in_flow, " +
        "#deadline = :deadline, #updated_at = :now REMOVE #host, #provider_location, #progress",
      `${IS_MINE} AND ${IS_WANTED} AND attribute_exists(#in_flow) AND ` +
        (migrationTarget ? "#status = :status" : "#status IN (:status, :downloading)") +
        (inPhase ? " AND #phase = :cleared_phase" : ""),
      {
        ":status": migrationTarget ? MIGRATION_TARGET_CREATING : CREATING,
        ...(!migrationTarget && { ":downloading": DOWNLOADING }),
        ":phase": "queued",
        ":bootable": false,
        ":empty": {},
        ":in_flow": IN_FLOW,
        ...(suspectedOrphan && { ":suspected_orphan": true }),
      },
    ),
  );
}

const MARK_UNSCHEDULABLE = `SET #status = :error_status, #fault = :fault, #updated_at = :now REMOVE ${LEAVE_INDEX}, #progress`;

export const MARK_UNSCHEDULABLE_UNOWNED = ending(
  statement(MARK_UNSCHEDULABLE, IS_UNOWNED_IN_FLOW, {
    ...FLOW_STATUSES,
    ":error_status": "error",
  }),
);

export const MARK_UNSCHEDULABLE_HANDED_OVER = ending(
  statement(MARK_UNSCHEDULABLE, IS_FREE_IN_FLOW, {
    ...FLOW_STATUSES,
    ":error_status": "error",
  }),
);

const IS_OVERDUE_OUT_OF_FLOW =
  "#deadline = :deadline AND #status <> :creating AND #status <> :downloading AND #status <> :migration_target_creating";

/** The writer of such a status has also revoked a deletion. */
export const FORGET_DEADLINE = statement(
  `SET #updated_at = :now REMOVE ${LEAVE_INDEX}, #delete_requested_at`,
  `${IS_OVERDUE_OUT_OF_FLOW} AND ${IS_WANTED}` +
    ` OR ${IS_OVERDUE_OUT_OF_FLOW} AND #status <> :deleting AND #status <> :error_deleting`,
  { ...FLOW_STATUSES, ...constants("deleting", "error_deleting") },
);

/** The previous owner's next write is refused, and a requested deletion is void. */
export const RESET_STATUS = ending(
  statement(
    `SET #status = :status, #reset_at = :now, #updated_at = :now REMOVE ${LEAVE_INDEX}, #delete_requested_at, #progress`,
    ["attribute_not_exists(#in_flow)", "attribute_not_exists(#delete_requested_at)", "#status <> :deleting"]
      .map((isNotBeingRemoved) => `attribute_exists(#id) AND ${isNotBeingRemoved}`)
      .join(" OR "),
    { ":deleting": "deleting" },
  ),
);

/** A volume as it was read: whether it has a type, and whether it was extended before. */
export type AsRead = { hasType: boolean; wasExtended: boolean };

/** The type and the last extension are those that were read, and with them what the volume takes of each quota. */
function isAsRead({ hasType, wasExtended }: AsRead): string {
  const type = hasType ? "#volume_type_id = :read_type" : "attribute_not_exists(#volume_type_id)";
  const extension = wasExtended ? "#extension.#number = :last" : "attribute_not_exists(#extension)";
  return `${type} AND ${extension}`;
}

/** @param to whether the volume gets a type */
export function changeType(read: AsRead, to: boolean): Statement {
  return statement(
    to ? "SET #volume_type_id = :volume_type_id, #updated_at = :now" : "SET #updated_at = :now REMOVE #volume_type_id",
    `#status = :available AND ${isAsRead(read)}`,
    { ":available": "available" },
  );
}

/** @param counted whether the volume's usage of its quota changes as well */
export function beginExtend(read: AsRead, volume: AsLocked, counted: boolean): Statement {
  return statement(
    "SET #status = :extending, #extension = :extension, #in_flow = :in_flow, #deadline = :deadline, " +
      `#updated_at = :now${counted ? ", #quota_size = :quota_size" : ""}`,
    `#status = :status AND #size = :size AND attribute_not_exists(#in_flow) AND ${isAsRead(read)} AND ${notLockedSince(volume)}`,
    { ":extending": "extending", ":in_flow": IN_FLOW },
  );
}

const IS_EXTENDING = "attribute_exists(#in_flow) AND #status = :extending AND #extension.#number = :number";

export const KEEP_EXTENSION_CLAIM = statement(
  "SET #extension.#claimed_at = :claimed_at, #updated_at = :now",
  `${IS_EXTENDING} AND attribute_not_exists(#extension.#claimed_at)` +
    ` OR ${IS_EXTENDING} AND #extension.#claimed_at = :claimed_at`,
  { ":extending": "extending" },
);

/** Closes an extension; a failed one leaves the size. @param counted whether a failed one writes what counts in the quota */
export function endExtend(outcome: "extended" | "failed", counted: boolean): Statement {
  const failure = `#extension.#error = :error, #extension.#cause = :cause${counted ? ", #quota_size = :quota_size" : ""}`;
  const result = outcome === "extended" ? "#size = :size" : failure;
  return ending(
    statement(
      `SET #status = :status, ${result}, #extension.#outcome = :outcome, #extension.#ended_at = :ended_at, ` +
        `#updated_at = :now REMOVE ${LEAVE_INDEX}`,
      IS_EXTENDING,
      { ":extending": "extending", ":outcome": outcome },
    ),
  );
}

/** A removal was asked for, and no operator has taken the request back. */
const IS_REMOVAL_ASKED = "attribute_exists(#in_flow) AND attribute_exists(#delete_requested_at)";

/** `deleting` is among them for volumes that another service has set to it. */
const DELETABLE = [
  "available",
  "error",
  "error_deleting",
  "error_extending",
  "error_restoring",
  "error_managing",
  "migration_target",
  "deleting",
];

/** The same in any status. */
const IS_UNOWNED = "attribute_exists(#id) AND attribute_not_exists(#in_flow) AND #attach_status <> :attached";

const IS_AT_REST = `${IS_UNOWNED} AND #status IN (${DELETABLE.map((status) => `:${status}`).join(", ")})`;

const STATUSES_OF_REMOVAL = constants("attached", "deleting", "error_deleting");
const STATUSES_AT_REST = constants("attached", ...DELETABLE);

const TAKE_FOR_REMOVAL =
  "SET #status = :deleting, #delete_requested_at = if_not_exists(#delete_requested_at, :now), #in_flow = :in_flow, " +
  "#deadline = :deadline, #updated_at = :now";

const IS_REMOVAL_BEGUN = `${IS_REMOVAL_ASKED} AND #status IN (:error_deleting, :deleting)`;

/**
 * The volume comes into the index, so that the sweep takes up a removal that died. A volume that is being removed cannot be locked.
 *
 * @param force whether any status at rest will do
 * @param volume as it was read before its locks
 */
export function beginDelete(force: boolean, volume: AsLocked): Statement {
  const unlocked = `${force ? IS_UNOWNED : IS_AT_REST} AND ${notLockedSince(volume)}`;
  return ending(
    statement(
      TAKE_FOR_REMOVAL,
      `${unlocked} AND attribute_not_exists(#locks) OR ${unlocked} AND size(#locks) = :zero OR ${IS_REMOVAL_BEGUN}`,
      { ...(force ? STATUSES_OF_REMOVAL : STATUSES_AT_REST), ":in_flow": IN_FLOW, ":zero": 0 },
    ),
  );
}

/** A volume without a deadline gets one, so that a request is never lost. */
export const REQUEST_DELETE = ending(
  statement(
    "SET #delete_requested_at = if_not_exists(#delete_requested_at, :now), #in_flow = :in_flow, " +
      "#deadline = if_not_exists(#deadline, :deadline), #updated_at = :now",
    `${IS_IN_FLOW} OR ${IS_UNTOUCHED} AND ${HAS_FLOW_STATUS}`,
    { ...FLOW_STATUSES, ":in_flow": IN_FLOW },
  ),
);

/** For a volume in the flow; see {@link BEGIN_DELETE}. */
export function beginRequestedDelete(owned: boolean): Statement {
  return ending(
    statement(
      "SET #status = :deleting, #in_flow = :in_flow, #deadline = :deadline, #updated_at = :now REMOVE #progress",
      `${owned ? IS_MINE : "attribute_not_exists(#fence)"} AND ${IS_REMOVAL_ASKED} AND ` +
        "#status IN (:creating, :downloading, :migration_target_creating, :deleting, :error_deleting)",
      { ...FLOW_STATUSES, ...constants("deleting", "error_deleting"), ":in_flow": IN_FLOW },
    ),
  );
}

export function markErrorDeleting(owned: boolean): Statement {
  return ending(
    statement(
      "SET #status = :error_deleting, #fault = :fault, #updated_at = :now",
      `${owned ? IS_MINE : "attribute_not_exists(#fence)"} AND ${IS_REMOVAL_ASKED} AND #status = :deleting`,
      constants("deleting", "error_deleting"),
    ),
  );
}
