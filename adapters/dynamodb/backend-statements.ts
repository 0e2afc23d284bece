import { statement, type Statement } from "./table.ts";

/** The updates of a backend. `#volume` is the volume's id, given at the call. */

/** Parameters of a claim's update: the backend's figures and the bounds. */
export type ClaimShape = { countsFree: boolean; boundsProvisioned: boolean; boundsFree: boolean };

/** Counts the claim, unless the volume has one there, or the backend has reported, was disabled, or was filled since it was read. */
export function claim({ countsFree, boundsProvisioned, boundsFree }: ClaimShape): Statement {
  const free = countsFree ? ", #free_capacity_gb = #free_capacity_gb - :size" : "";
  const conditions = [
    "attribute_not_exists(#claims.#volume)",
    "#reported_at = :reported_at",
    "#disabled = :false",
    ...(boundsProvisioned ? ["#provisioned_capacity_gb <= :max_provisioned"] : []),
    ...(boundsFree ? ["#free_capacity_gb >= :min_free"] : []),
  ];
  return statement(
    "SET #claims.#volume = :claim, #allocated_capacity_gb = #allocated_capacity_gb + :size, " +
      "#provisioned_capacity_gb = #provisioned_capacity_gb + :size, " +
      `#open_claims_gb = #open_claims_gb + :size${free}`,
    conditions.join(" AND "),
    { ":false": false },
  );
}

/** Only the claim that was made at that time. */
const MADE_THEN = "#claims.#volume.#claimed_at = :claimed_at";

/** Closes a claim; the mark of a returned capacity does not count as one. */
export const SETTLE = statement(
  "SET #open_claims_gb = #open_claims_gb - #claims.#volume.#size REMOVE #claims.#volume",
  "#claims.#volume.#attempt > :returned",
  { ":returned": 0 },
);

export const SETTLE_MADE_THEN = statement(SETTLE.update, `${SETTLE.condition} AND ${MADE_THEN}`, { ":returned": 0 });

/** Settles the capacity of a claim and keeps the claim. */
export const SETTLE_UNSENT = statement(
  "SET #open_claims_gb = #open_claims_gb - #claims.#volume.#size, #claims.#volume.#size = :zero",
  `#claims.#volume.#attempt > :zero AND ${MADE_THEN}`,
  { ":zero": 0 },
);

/** Undoes a claim: the claim itself has the taken capacity. */
export function release(countsFree: boolean, madeThen: boolean): Statement {
  const taken = "#claims.#volume.#size";
  const free = countsFree ? `, #free_capacity_gb = #free_capacity_gb + ${taken}` : "";
  return statement(
    `SET #allocated_capacity_gb = #allocated_capacity_gb - ${taken}, ` +
      `#provisioned_capacity_gb = #provisioned_capacity_gb - ${taken}, ` +
      `#open_claims_gb = #open_claims_gb - ${taken}${free} REMOVE #claims.#volume`,
    `#claims.#volume.#attempt = :attempt AND #reported_at = :reported_at${madeThen ? ` AND ${MADE_THEN}` : ""}`,
  );
}

export const RETURN_CAPACITY = statement(
  "SET #claims.#volume = :mark, #allocated_capacity_gb = #allocated_capacity_gb - :size, " +
    "#provisioned_capacity_gb = #provisioned_capacity_gb - :size",
  "attribute_exists(#host) AND attribute_not_exists(#claims.#volume)",
);

/** The count of such returns identifies a late one: a caller with a smaller count has read a record that may have changed. */
export function returnUnasked(isFirst: boolean): Statement {
  return statement(
    `${RETURN_CAPACITY.update}, #returns = :next_returns`,
    `${RETURN_CAPACITY.condition} AND ${isFirst ? "attribute_not_exists(#returns)" : "#returns = :returns"}`,
  );
}

export const SET_DISABLED = statement("SET #disabled = :disabled REMOVE #disabled_reason", "attribute_exists(#host)");

export const SET_DISABLED_FOR_REASON = statement(
  "SET #disabled = :disabled, #disabled_reason = :disabled_reason",
  "attribute_exists(#host)",
);

export const FORGET_RETURNED = statement("REMOVE #claims.#volume", "#claims.#volume.#attempt = :returned", {
  ":returned": 0,
});

/**
 * Replaces the last report, whatever its time: the report that is received later counts, because one from a fast clock would otherwise
 * suppress the following ones. Begins the counts of a new backend.
 */
export function report(columns: readonly string[], removed: readonly string[], countsFree: boolean): Statement {
  const assignments = columns.map((column) =>
    column === "free_capacity_gb" && countsFree
      ? "#free_capacity_gb = :free_capacity_gb - if_not_exists(#open_claims_gb, :zero)"
      : `#${column} = :${column}`,
  );
  const counts = ["allocated_capacity_gb", "provisioned_capacity_gb", "open_claims_gb"].map(
    (column) => `#${column} = if_not_exists(#${column}, :zero)`,
  );
  return statement(
    `SET ${[...assignments, ...counts].join(", ")}, #claims = if_not_exists(#claims, :empty), ` +
      "#disabled = if_not_exists(#disabled, :false)" +
      (removed.length === 0 ? "" : ` REMOVE ${removed.map((column) => `#${column}`).join(", ")}`),
    "",
    { ":zero": 0, ":empty": {}, ":false": false },
  );
}
