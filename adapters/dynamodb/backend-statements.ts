import { statement, type Statement, updateOf } from "./table.ts";

/**
 * The updates of a backend. `#volume` is a claim's key, given at the call.
 *
 * Every change of the sums is conditional on `moves`, and every one that takes an entry off `claims` changes it: a write that was decided
 * before an entry came and went is refused.
 */

/** Parameters of a claim's update: the backend's figures and the bounds. */
export type ClaimShape = { countsFree: boolean; boundsProvisioned: boolean; boundsFree: boolean };

/** Counts the claim, unless the key has an entry, or the backend has reported, was disabled, or was filled since it was read. */
export function claim({ countsFree, boundsProvisioned, boundsFree }: ClaimShape): Statement {
  const free = countsFree ? ", #free_capacity_gb = #free_capacity_gb - :size" : "";
  const conditions = [
    "attribute_not_exists(#claims.#volume)",
    "#moves = :moves",
    "#reported_at = :reported_at",
    "#disabled = :false",
    ...(boundsProvisioned ? ["#provisioned_capacity_gb <= :max_provisioned"] : []),
    ...(boundsFree ? ["#free_capacity_gb >= :min_free"] : []),
  ];
  return statement(
    "SET #claims.#volume = :entry, #allocated_capacity_gb = #allocated_capacity_gb + :size, " +
      "#provisioned_capacity_gb = #provisioned_capacity_gb + :size, " +
      `#claimed_gb = #claimed_gb + :size${free}`,
    conditions.join(" AND "),
    { ":false": false },
  );
}

/**
 * Takes a claim's capacity off the sums. `countsFree`: what is free grows by it at once. `isEntered`: the claim has an entry, which this
 * replaces; without one, the key may have got the entry of another claim since, which must stay.
 */
export function giveBack(countsFree: boolean, isEntered: boolean): Statement {
  const free = countsFree ? ", #free_capacity_gb = #free_capacity_gb + :size" : "";
  return statement(
    "SET #claims.#volume = :entry, #allocated_capacity_gb = #allocated_capacity_gb - :size, " +
      `#provisioned_capacity_gb = #provisioned_capacity_gb - :size, #moves = :next_moves${free}`,
    `#moves = :moves AND #reported_at = :reported_at${isEntered ? "" : " AND attribute_not_exists(#claims.#volume)"}`,
  );
}

/** Takes entries off; the names `#volume0`, `#volume1`, ... are given at the call. */
export function tidy(entries: number): Statement {
  const removed = Array.from({ length: entries }, (_, index) => `#claims.#volume${index}`);
  return statement(`SET #moves = :next_moves REMOVE ${removed.join(", ")}`, "#moves = :moves");
}

export const SET_DISABLED = statement("SET #disabled = :disabled REMOVE #disabled_reason", "attribute_exists(#host)");

export const SET_DISABLED_FOR_REASON = statement(
  "SET #disabled = :disabled, #disabled_reason = :disabled_reason",
  "attribute_exists(#host)",
);

/**
 * Replaces the last report, whatever its time: the report that is received later counts, because one from a fast clock would otherwise
 * suppress the following ones. Begins the counts of a new backend. `:free_capacity_gb` is what is free less the open claims, plus the
 * `claimed_gb` at the time at which these were counted.
 */
export function report(columns: readonly string[], removed: readonly string[], countsFree: boolean): Statement {
  const assignments = columns.map((column) =>
    column === "free_capacity_gb" && countsFree
      ? "#free_capacity_gb = :free_capacity_gb - if_not_exists(#claimed_gb, :zero)"
      : `#${column} = :${column}`,
  );
  const counts = ["allocated_capacity_gb", "provisioned_capacity_gb", "claimed_gb", "moves"].map(
    (column) => `#${column} = if_not_exists(#${column}, :zero)`,
  );
  const kept = ["#claims = if_not_exists(#claims, :empty)", "#disabled = if_not_exists(#disabled, :false)"];
  return statement(
    updateOf(
      [...assignments, ...counts, ...kept],
      removed.map((column) => `#${column}`),
    ),
    "",
    { ":zero": 0, ":empty": {}, ":false": false },
  );
}
