import { unmarshall } from "@aws-sdk/util-dynamodb";
import { type ProjectQuota, type Reservation, UNLIMITED, type Usage } from "../../core/projects.ts";
import { statement, toItem, updateOf, type Item } from "./table.ts";

/** The item with a project's usage and limits: its key and its updates. */

/** Sort key of the item that holds a project's usage and limits. */
export const QUOTA = "quota";

export function quotaKey(projectId: string): Item {
  return toItem({ project_id: projectId, entry: QUOTA });
}

export const FORGET_MOVEMENT = statement("REMOVE #moving.#holder", "attribute_exists(#moving.#holder)");
export const FORGET_MOVEMENT_OF = statement("REMOVE #moving.#holder", "#moving.#holder.#at = :at");

export const ENSURE_QUOTA = statement(
  "SET #used = :empty, #limits = :empty, #moving = :empty, #returns = :zero",
  "attribute_not_exists(#used)",
  { ":empty": {}, ":zero": 0 },
);

type Change = { assignments: string[]; values: Record<string, number>; names: Record<string, string> };

/** Adds or subtracts each of a usage's amounts, which may be none: that of a type by a volume without one. */
export function changeOf(usage: Usage, sign: 1 | -1): Change {
  const resources = Object.entries(usage);
  return {
    assignments: resources.map(
      (_each, index) => `#used.#resource${index} = if_not_exists(#used.#resource${index}, :none) + :amount${index}`,
    ),
    values: {
      ...(resources.length > 0 && { ":none": 0 }),
      ...Object.fromEntries(resources.map(([, amount], index) => [`:amount${index}`, sign * amount])),
    },
    names: Object.fromEntries(resources.map(([resource], index) => [`#resource${index}`, resource])),
  };
}

/**
 * One condition holds every limit; it is all or nothing.
 *
 * @param replaces whether what the holder gave back, when it existed before, is still to be forgotten
 */
export function reserveStatement({ usage, limits }: Reservation, replaces: boolean) {
  const { assignments, values, names } = changeOf(usage, 1);
  const isFree = replaces ? "#moving.#holder.#kind = :given_back" : "attribute_not_exists(#moving.#holder)";
  const conditions: string[] = ["attribute_exists(#used)", isFree];
  const bounds: Record<string, number> = {};
  for (const [index, [resource, amount]] of Object.entries(usage).entries()) {
    const limit = limits[resource] ?? UNLIMITED;
    if (limit !== UNLIMITED && amount > 0) {
      bounds[`:most${index}`] = limit - amount;
      const isFirst = limit >= amount ? `attribute_not_exists(#used.#resource${index}) OR ` : "";
      conditions.push(`(${isFirst}#used.#resource${index} <= :most${index})`);
    }
  }
  const constants = replaces ? { ":given_back": "given_back" } : {};
  const set = [...assignments, "#moving.#holder = :movement"].join(", ");
  const prepared = statement(`SET ${set}`, conditions.join(" AND "), constants);
  return { prepared, values: { ...values, ...bounds }, names };
}

/** A resource, its sum as it was read, and as it should be; undefined for none. */
export type WrongSum = readonly [string, number | undefined, number | undefined];

/** Writes these sums if none of them has changed since it was read, and nothing is under way. */
export function correctStatement(sums: readonly WrongSum[]) {
  const at = (index: number): string => `#used.#resource${index}`;
  const set = sums.flatMap(([, , right], index) => (right === undefined ? [] : [`${at(index)} = :right${index}`]));
  const removed = sums.flatMap(([, , right], index) => (right === undefined ? [at(index)] : []));
  const unchanged = sums.map(([, read], index) =>
    read === undefined ? `attribute_not_exists(${at(index)})` : `${at(index)} = :read${index}`,
  );
  const condition = ["#returns = :returns", "size(#moving) = :none", ...unchanged].join(" AND ");
  const values = sums.flatMap(([, read, right], index) => [
    ...(read === undefined ? [] : [[`:read${index}`, read] as const]),
    ...(right === undefined ? [] : [[`:right${index}`, right] as const]),
  ]);
  return {
    prepared: statement(updateOf(set, removed), condition, { ":none": 0 }),
    values: Object.fromEntries(values),
    names: Object.fromEntries(sums.map(([resource], index) => [`#resource${index}`, resource])),
  };
}

/** The first resource, in the order of their names as in Cinder, that has no room; the last one when a change in between made room. */
export function exceededResource({ usage, limits }: Reservation, { used }: ProjectQuota): string {
  const resources = Object.keys(usage).toSorted();
  const exceeded = resources.find((resource) => {
    const limit = limits[resource] ?? UNLIMITED;
    return limit !== UNLIMITED && (used[resource] ?? 0) + (usage[resource] ?? 0) > limit;
  });
  return exceeded ?? resources.at(-1) ?? "";
}

/** The usage and limits that an item holds. */
export function readQuota(item: Item | undefined): ProjectQuota {
  const { used = {}, limits = {}, moving = {} } = (item === undefined ? {} : unmarshall(item)) as Partial<ProjectQuota>;
  return { used, limits, moving };
}
