import { marshall } from "@aws-sdk/util-dynamodb";
import { describe, expect, it } from "vitest";
import { conditionOf } from "../../adapters/dynamodb/volume-conditions.ts";
import { type DecidingColumn, type LifecycleState, lifecycleOf } from "../../core/volume-lifecycle.ts";
import { type Transition, type TransitionName, TRANSITIONS } from "../../core/volume-transitions.ts";
import { parseCondition } from "../../simulation/dynamodb/expressions.ts";
import { queuedVolume } from "../support/records.ts";

/** The conditions of the store allow what the table of transitions allows, whatever the columns of a record are. */

const MINE = "volume-a1";

/** Values of each deciding column, undefined where it is absent. Those of `status` have all that the tree distinguishes, and two others. */
const VALUES: Readonly<Record<DecidingColumn, readonly (string | undefined)[]>> = {
  status: [
    "creating",
    "migration_target_creating",
    "deleting",
    "error_deleting",
    "extending",
    "error",
    "available",
    "in-use",
  ],
  fence: [undefined, MINE, "volume-a2"],
  phase: [undefined, "queued", "scheduled", "creating"],
  in_flow: [undefined, "y"],
  delete_requested_at: [undefined, "2026-01-01T00:00:00.000Z"],
  extension: [undefined, "e"],
  host: [undefined, "host@file#pool"],
  fault: [undefined, "f"],
  reset_at: [undefined, "2026-01-01T00:00:00.000Z"],
};

type Columns = Partial<Record<DecidingColumn, string>>;

/** Every combination of the values. */
const RECORDS = (Object.keys(VALUES) as DecidingColumn[]).reduce<Columns[]>(
  (records, column) =>
    records.flatMap((record) =>
      VALUES[column].map((value) => (value === undefined ? record : { ...record, [column]: value })),
    ),
  [{}],
);

const nulls = { fence: null, phase: null, delete_requested_at: null, host: null, fault: null };

const STATES = new Map(
  RECORDS.map(({ in_flow: inFlow, ...columns }) => {
    const record = { ...queuedVolume(), ...nulls, ...columns, deadline: inFlow ?? null };
    return [{ ...columns, in_flow: inFlow }, lifecycleOf(record as Parameters<typeof lifecycleOf>[0])];
  }),
);

/** States of records that no attempt owns, which an attempt may take. */
const WITHOUT_OWNER: readonly LifecycleState[] = ["waiting", "unclaimed"];

const NAMES = Object.keys(TRANSITIONS) as TransitionName[];
const transitionOf = (name: TransitionName): Transition => TRANSITIONS[name];

describe.each([true, false])("for a caller with a fence: %s", (hasFence) => {
  const isPossible = (name: TransitionName): boolean => {
    const { from, fenced } = transitionOf(name);
    return hasFence || !fenced || [...STATES].some(([{ fence }, state]) => fence === undefined && from.includes(state));
  };

  it.each(NAMES.filter(isPossible))("%s is possible exactly as the table says", (name) => {
    const { from, fenced } = transitionOf(name);
    const { condition, constants } = conditionOf(name, { hasFence });
    const { result } = parseCondition(condition);
    const names = Object.fromEntries(Object.keys({ id: "", ...VALUES }).map((column) => [`#${column}`, column]));
    const values = marshall({ ...constants, ":fence": MINE });
    const wrong = [...STATES].filter(([columns, state]) => {
      const isOwner = hasFence
        ? columns.fence === MINE || (columns.fence === undefined && WITHOUT_OWNER.includes(state))
        : columns.fence === undefined;
      const item = marshall({ id: "volume", ...columns }, { removeUndefinedValues: true });
      return result(item, { names, values }) !== (from.includes(state) && (isOwner || !fenced));
    });
    expect(wrong.slice(0, 3)).toEqual([]);
    expect(result({}, { names, values }), "without a record").toBe(false);
  });

  it("refuses a transition that no record allows", () => {
    for (const name of NAMES.filter((each) => !isPossible(each))) {
      expect(() => conditionOf(name, { hasFence })).toThrow("is possible for no record");
    }
    expect(() => conditionOf("finishDelete", { statuses: ["available"] })).toThrow("is possible for no record");
  });
});

it("limits a condition to some of the states and statuses, with the constants that it uses", () => {
  expect(conditionOf("beginDelete", { only: ["at_rest"], statuses: ["available"] })).toEqual({
    condition: "attribute_not_exists(#in_flow) AND #status = :available",
    constants: { ":available": "available" },
  });
});
