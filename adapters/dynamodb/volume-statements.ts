import type { VolumeStatus } from "../../core/records.ts";
import { IN_FLOW, LEAVE_INDEX } from "./overdue.ts";
import type { Statement } from "./table.ts";
import { constants, transition } from "./volume-conditions.ts";
import { ending, goingOn } from "./volume-room.ts";

/**
 * The updates of a volume in the flow, one for each transition: its condition is that of the table of transitions, so a late write changes
 * nothing. Requests of users, removals and extensions have theirs next to their methods.
 */

const TAKE =
  "SET #host = :host, #availability_zone = :availability_zone, #scheduled_at = :scheduled_at, #fence = :fence, " +
  "#attempts.#number = :attempt, #phase = :phase, #in_flow = :in_flow, #deadline = :deadline, #updated_at = :now";

/** Closes the line `#number` of the ledger. */
const CLOSE_FAILED_ATTEMPT =
  "#attempts.#number.#outcome = :outcome, #attempts.#number.#ended_at = :ended_at, " +
  "#attempts.#number.#error = :error, #attempts.#number.#cause = :cause";

const CLOSE_WITH_ORPHAN = `${CLOSE_FAILED_ATTEMPT}, #attempts.#number.#suspected_orphan = :suspected_orphan`;

export const ASSIGN_HOST = goingOn(
  transition("assignHost", TAKE, { only: ["waiting", "handed_over"] }, { ":in_flow": IN_FLOW, ":phase": "scheduled" }),
);

/** Takes a volume back into the flow that another service put in `error` before any attempt owned it, as Cinder does. */
export const ASSIGN_HOST_IN_ERROR = goingOn(
  transition(
    "assignHost",
    `${TAKE}, #status = :creating`,
    { only: ["unclaimed"] },
    { ...constants("creating"), ":in_flow": IN_FLOW, ":phase": "scheduled" },
  ),
);

export const BEGIN_CREATE = transition(
  "beginCreate",
  "SET #phase = :phase, #in_flow = :in_flow, #deadline = :deadline, #updated_at = :now",
  {},
  { ":in_flow": IN_FLOW, ":phase": "creating" },
);

/** @param columns further columns, each set to the value of its name. */
export function persistModelUpdate(columns: readonly string[]) {
  const assignments = ["phase", ...columns].map((column) => `#${column} = :${column}`).join(", ");
  return transition("persistModelUpdate", `SET ${assignments}, #updated_at = :now`);
}

const SAVE_PROGRESS =
  "SET #progress = :progress, #phase = :phase, #in_flow = :in_flow, #deadline = :deadline, #updated_at = :now";

const PROGRESS_CONSTANTS = { ":in_flow": IN_FLOW, ":phase": "copying" };

/** Progress never moves back, unless the image is another one. */
export const SAVE_PROGRESS_OF_IMAGE = transition(
  "saveProgress",
  SAVE_PROGRESS,
  {
    either: [
      "attribute_not_exists(#progress.#image_tag)",
      "#progress.#image_tag <> :image_tag",
      "#progress.#bytes_done <= :bytes_done",
    ],
  },
  PROGRESS_CONSTANTS,
);

/** The same for progress that names no image. */
export const SAVE_UNTAGGED_PROGRESS = transition(
  "saveProgress",
  SAVE_PROGRESS,
  {
    either: [
      "attribute_not_exists(#progress)",
      "attribute_exists(#progress.#image_tag)",
      "#progress.#bytes_done <= :bytes_done",
    ],
  },
  PROGRESS_CONSTANTS,
);

export const MARK_BOOTABLE = transition(
  "markBootable",
  "SET #bootable = :bootable, #glance_metadata = :glance_metadata, #updated_at = :now",
  {},
  { ":bootable": true },
);

export function markAvailable(columns: readonly string[]) {
  const assignments = columns.map((column) => `, #${column} = :${column}`).join("");
  return ending(
    transition(
      "markAvailable",
      "SET #status = :status, #launched_at = if_not_exists(#launched_at, :launched_at), " +
        "#attempts.#number.#outcome = :outcome, #attempts.#number.#ended_at = :launched_at, " +
        `#updated_at = :now${assignments} REMOVE ${LEAVE_INDEX}, #phase, #progress, #fault`,
      {},
      { ":outcome": "created" },
    ),
  );
}

/** The phase stays: it shows whether the backend may hold the volume. */
export const MARK_ERROR = ending(
  transition(
    "markError",
    `SET #status = :status, #fault = :fault, ${CLOSE_FAILED_ATTEMPT}, #updated_at = :now REMOVE ${LEAVE_INDEX}, #progress`,
    {},
    { ":status": "error", ":outcome": "error" },
  ),
);

/**
 * Hands the record to the next attempt as if no attempt had been made. One update cannot keep one status and replace another, so
 * there is one for a migration's target, which keeps its status, and one for everything else, which returns to `creating`.
 */
export function releaseForReschedule(suspectedOrphan: boolean, migrationTarget: boolean, inPhase: boolean) {
  const statuses: readonly VolumeStatus[] = migrationTarget
    ? ["migration_target_creating"]
    : ["creating", "downloading"];
  return goingOn(
    transition(
      "releaseForReschedule",
      `SET ${suspectedOrphan ? CLOSE_WITH_ORPHAN : CLOSE_FAILED_ATTEMPT}, #fence = :next, #status = :${statuses[0]}, ` +
        "#phase = :phase, #bootable = :bootable, #glance_metadata = :empty, #scheduled_at = :ended_at, #in_flow = :in_flow, " +
        "#deadline = :deadline, #updated_at = :now REMOVE #host, #provider_location, #progress",
      { statuses, ...(inPhase && { either: ["#phase = :cleared_phase"] }) },
      {
        ":phase": "queued",
        ":bootable": false,
        ":empty": {},
        ":in_flow": IN_FLOW,
        ...(suspectedOrphan && { ":suspected_orphan": true }),
      },
    ),
  );
}

/** @param hasFence whether an attempt asks for it, which may own the record already */
export function markUnschedulable(hasFence: boolean): Statement {
  return ending(
    transition(
      "markUnschedulable",
      `SET #status = :error, #fault = :fault, #updated_at = :now REMOVE ${LEAVE_INDEX}, #progress`,
      { hasFence },
      constants("error"),
    ),
  );
}

/** The writer of such a status has also revoked a deletion. */
export const FORGET_DEADLINE = transition(
  "forgetDeadline",
  `SET #updated_at = :now REMOVE ${LEAVE_INDEX}, #delete_requested_at`,
  { either: ["#deadline = :deadline"] },
);
