import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { NameClaim, NameScope } from "../../core/projects.ts";
import { statement, toItem, type Item } from "./table.ts";

/** The claims of unique names: their keys and their update. */

export function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

/** Each name is a partition of its own. */
export function nameKey(scope: NameScope, name: string): Item {
  return toItem({ project_id: partitionOfName(scope, name), entry: "holder" });
}

export function partitionOfName(scope: NameScope, name: string): string {
  return `name#${scope}#${name}`;
}

export function claimStatement(expires: boolean, replaces: boolean) {
  const isFree = [
    "attribute_not_exists(#holder)",
    "#holder = :holder",
    "#expires_at <= :now",
    ...(replaces ? ["#holder = :was AND #claimed_at = :was_at"] : []),
  ];
  const columns = "#holder = :holder, #claimed_at = :claimed_at";
  return statement(`SET ${columns}${expires ? ", #expires_at = :expires_at" : ""}`, isFree.join(" OR "));
}

/** The claim that an item holds. DynamoDB removes what has expired some time later. */
export function readClaim(scope: NameScope, name: string, item: Item | undefined, now: Date): NameClaim | undefined {
  const { holder, claimed_at: claimedAt, expires_at: expiresAt } = item === undefined ? {} : unmarshall(item);
  const isExpired = typeof expiresAt === "number" && expiresAt <= seconds(now);
  return item === undefined || isExpired
    ? undefined
    : { scope, name, holder: String(holder), claimedAt: String(claimedAt) };
}
