import type { VolumeStatus } from "../../core/records.ts";
import { type ColumnTest, type DecidingColumn, DECISIONS, type LifecycleState } from "../../core/volume-lifecycle.ts";
import { type From, type Transition, type TransitionName, TRANSITIONS } from "../../core/volume-transitions.ts";
import { statement, type Statement } from "./table.ts";

/**
 * The conditions of the transitions, of core's table: each is true for exactly the records in the states from which the table allows
 * the transition, and for the attempt that owns them. A caller can only narrow a condition.
 */

/** The values of a column: it is there or not, or has one of these or none of these. */
type Values = "there" | "absent" | { in: readonly string[] } | { notIn: readonly string[] };

/** Columns that all have these values; a record meets a condition if it meets one of its clauses. */
type Clause = Readonly<Partial<Record<DecidingColumn, Values>>>;

/** A part of a transition's condition. */
type Part<Name extends TransitionName> = {
  /** States of `from` to which the part is limited. */
  only?: readonly From<Name>[];
  /** Statuses to which it is limited. */
  statuses?: readonly VolumeStatus[];
  /** Whether the caller is an attempt with a fence (`:fence`); it does not matter for a transition without a fence. */
  hasFence?: boolean;
  /** Further conditions, of which one must hold. */
  either?: readonly string[];
};

/** A transition as an update; its condition holds in one of the parts. Constants of the condition need not be given. */
export function transition<Name extends TransitionName>(
  name: Name,
  update: string,
  parts: Part<Name> | readonly Part<Name>[] = {},
  constants: Record<string, unknown> = {},
): Statement {
  const conditions = [parts].flat().map((part) => conditionOf(name, part));
  const all = Object.assign({}, ...conditions.map((each) => each.constants), constants) as Record<string, unknown>;
  return statement(update, conditions.map(({ condition }) => condition).join(" OR "), all);
}

/**
 * The condition of a transition or of a part of it, and its constants, which have the names of their placeholders.
 *
 * @throws Error for a part that no record can meet: without a condition, its update would change any record
 */
export function conditionOf<Name extends TransitionName>(name: Name, part: Part<Name> = {}) {
  const { from, fenced }: Transition = TRANSITIONS[name];
  const { only = from, statuses, hasFence = true, either = [] } = part;
  const clauses = allClausesOf(only)
    .flatMap((clause) => (statuses === undefined ? [clause] : limited(clause, "status", { in: statuses })))
    // A caller without a fence cannot meet a clause of a record that has one.
    .filter(({ fence }) => !fenced || hasFence || fence !== "there");
  if (clauses.length === 0) {
    throw new Error(`${name} is possible for no record: ${JSON.stringify(part)}`);
  }
  // AND binds before OR. Brackets would cost dynalite's parser more than everything else that it does for the call.
  const conditions = clauses.flatMap((clause) => {
    const tests = testsOf(clause, fenced ? hasFence : undefined);
    return either.length === 0 ? [tests] : either.map((other) => [...tests, other]);
  });
  const condition = conditions.map((tests) => tests.join(" AND ")).join(" OR ");
  return { condition, constants: constants(...clauses.flatMap((clause) => Object.values(clause).flatMap(listed))) };
}

/** Values that have the names of their placeholders. */
export function constants(...values: readonly string[]): Record<string, string> {
  return Object.fromEntries(values.map((value) => [placeholder(value), value]));
}

const placeholder = (value: string): string => `:${value.replaceAll("-", "_")}`;

const listed = (values: Values): readonly string[] =>
  typeof values === "string" ? [] : "in" in values ? values.in : values.notIn;

/** By lists of states: most transitions have the same, and a call may name its list again. */
const CLAUSES = new Map<string, Clause[]>();

function allClausesOf(states: readonly LifecycleState[]): Clause[] {
  const key = states.join();
  const clauses = CLAUSES.get(key) ?? clausesOf(states, DECISIONS, {});
  CLAUSES.set(key, clauses);
  return clauses;
}

/** The paths of the tree that lead to these states, without tests that make no difference. */
function clausesOf(states: readonly LifecycleState[], decision: ColumnTest["yes"], path: Clause): Clause[] {
  const leaves = leavesOf(decision);
  const reached = leaves.filter((state) => states.includes(state)).length;
  if (typeof decision === "string" || reached === 0 || reached === leaves.length) {
    return reached === 0 ? [] : [path];
  }
  const { column, values, yes, no } = decision;
  const follow = (next: ColumnTest["yes"], allowed: Values): Clause[] =>
    limited(path, column, allowed).flatMap((longer) => clausesOf(states, next, longer));
  return merged([
    ...follow(yes, values === undefined ? "there" : { in: values }),
    ...follow(no, values === undefined ? "absent" : { notIn: values }),
  ]);
}

function leavesOf(decision: ColumnTest["yes"]): LifecycleState[] {
  return typeof decision === "string" ? [decision] : [...leavesOf(decision.yes), ...leavesOf(decision.no)];
}

/** The clause for these values of the column alone; none where it allows none of them. */
function limited(clause: Clause, column: DecidingColumn, allowed: Values): Clause[] {
  const values = bothOf(clause[column] ?? allowed, allowed);
  return values === undefined ? [] : [{ ...clause, [column]: values }];
}

/** The values that both allow; undefined where there are none. */
function bothOf(a: Values, b: Values): Values | undefined {
  if (typeof a !== "object" || typeof b !== "object") {
    return a === b ? a : undefined;
  }
  if ("notIn" in a && "notIn" in b) {
    return { notIn: [...new Set([...a.notIn, ...b.notIn])] };
  }
  const [left, right] = "in" in a ? [a, b] : [b, a];
  const values = listed(left).filter((value) => listed(right).includes(value) === "in" in right);
  return values.length === 0 ? undefined : { in: values };
}

/** Makes one clause of two where one has all that the other has, or both differ in one column. */
function merged(clauses: readonly Clause[]): Clause[] {
  for (const [index, clause] of clauses.entries()) {
    for (const other of clauses.slice(index + 1)) {
      const one = oneOf(clause, other);
      if (one !== undefined) {
        return merged([one, ...clauses.filter((each) => each !== clause && each !== other)]);
      }
    }
  }
  return [...clauses];
}

function oneOf(a: Clause, b: Clause): Clause | undefined {
  const either: Record<string, Values> = {};
  let [beyondA, beyondB, differing] = [0, 0, 0];
  for (const column of Object.keys({ ...a, ...b }) as DecidingColumn[]) {
    const values = eitherOf(a[column], b[column]);
    if (values !== undefined) {
      either[column] = values;
    }
    beyondA += isSame(values, a[column]) ? 0 : 1;
    beyondB += isSame(values, b[column]) ? 0 : 1;
    differing += isSame(a[column], b[column]) ? 0 : 1;
  }
  return beyondA === 0 || beyondB === 0 || differing === 1 ? either : undefined;
}

function isSame(a: Values | undefined, b: Values | undefined): boolean {
  if (typeof a !== "object" || typeof b !== "object") {
    return a === b;
  }
  const [left, right] = [listed(a), listed(b)];
  return "in" in a === "in" in b && left.length === right.length && left.every((value) => right.includes(value));
}

/** The values that either allows; undefined where any value will do. A column is tested for being there or for its value, never for both. */
function eitherOf(a: Values | undefined, b: Values | undefined): Values | undefined {
  if (typeof a !== "object" || typeof b !== "object") {
    return a === b ? a : undefined;
  }
  if ("in" in a && "in" in b) {
    return { in: [...new Set([...a.in, ...b.in])] };
  }
  const [left, right] = "in" in a ? [b, a] : [a, b];
  const notIn = listed(left).filter((value) => listed(right).includes(value) === !("in" in right));
  return notIn.length === 0 ? undefined : { notIn };
}

/** The tests of a clause. @param hasFence undefined where any caller will do */
function testsOf(clause: Clause, hasFence: boolean | undefined): string[] {
  const isMine = hasFence === true && clause.fence !== "absent";
  const wanted: Clause = { ...clause, ...(hasFence === false && { fence: "absent" }) };
  const tests = Object.entries(wanted).flatMap(([column, values]) =>
    column === "fence" && isMine ? [] : [testOf(column, values)],
  );
  const all = isMine ? ["#fence = :fence", ...tests] : tests;
  // A missing item meets tests for absent columns.
  return all.some((test) => !/^attribute_not_exists|<>/.test(test)) ? all : ["attribute_exists(#id)", ...all];
}

function testOf(column: string, values: Values): string {
  const name = `#${column}`;
  if (typeof values === "string") {
    return values === "there" ? `attribute_exists(${name})` : `attribute_not_exists(${name})`;
  }
  const [first, ...more] = listed(values).map(placeholder);
  if ("notIn" in values) {
    return [first, ...more].map((value) => `${name} <> ${value}`).join(" AND ");
  }
  return more.length === 0 ? `${name} = ${first}` : `${name} IN (${[first, ...more].join(", ")})`;
}
