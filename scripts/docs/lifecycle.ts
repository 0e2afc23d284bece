import { LIFECYCLE_STATES, type LifecycleState } from "../../core/volume-lifecycle.ts";
import { type Transition, type TransitionName, TRANSITION_TEXTS, TRANSITIONS } from "../../core/volume-transitions.ts";
import {
  EDGE,
  FAILURE_EDGE,
  FRAME,
  GRAPH,
  NODE,
  NODE_STYLES,
  quote,
  SPACE,
  SPINE_EDGE,
  statement,
} from "./graph-style.ts";
import { table } from "./table.ts";

/** States in one frame of the picture. A transition that all of them have is drawn once, from the frame. */
const FRAMES: readonly { label: string; states: readonly LifecycleState[] }[] = [
  { label: "owned by an attempt", states: ["handed_over", "scheduled", "on_backend"] },
  { label: "without an owner", states: ["unclaimed", "failed", "unplaced", "at_rest"] },
];

/** An operator may reset nearly every state. */
const NOT_DRAWN: readonly TransitionName[] = ["resetStatus"];

/** States that something has to lead out of, and the end. */
const STYLE_OF: Readonly<Partial<Record<LifecycleState | "gone", keyof typeof NODE_STYLES>>> = {
  at_rest: "Succeed",
  unplaced: "Fail",
  failed: "Fail",
  unclaimed: "Fail",
  removal_failed: "Fail",
  gone: "Pass",
};

const SPINE: readonly TransitionName[] = ["assignHost", "beginCreate", "markAvailable"];
const FAILURES: readonly TransitionName[] = [
  "markError",
  "markUnschedulable",
  "markErrorDeleting",
  "releaseForReschedule",
];

const NAMES = Object.keys(TRANSITIONS) as TransitionName[];
const transitionOf = (name: TransitionName): Transition => TRANSITIONS[name];

/** The states and transitions as a graph in DOT. */
export function lifecycleGraph(): string {
  const node = (state: LifecycleState | "gone"): string =>
    statement(quote(state), NODE_STYLES[STYLE_OF[state] ?? "Task"]);
  const framed = new Set(FRAMES.flatMap(({ states }) => states));
  const lines = [
    statement("graph", { ...GRAPH, rankdir: "TB", compound: "true", newrank: "true", nodesep: 0.7, ranksep: 0.7 }),
    statement("node", NODE),
    statement("edge", EDGE),
    ...FRAMES.flatMap(({ label, states }, index) => [
      `subgraph cluster_${index} {`,
      statement("graph", { ...FRAME, label: `${SPACE}${SPACE}${label}` }),
      ...states.map(node),
      "}",
    ]),
    ...(Object.keys(LIFECYCLE_STATES) as LifecycleState[]).filter((state) => !framed.has(state)).map(node),
    node("gone"),
    ...[...edges()].map(([key, names]) => edgeStatement(key, names)),
  ];
  return `digraph lifecycle {\n${lines.join(";\n").replaceAll("{;", "{")}\n}\n`;
}

/** Names of the transitions by their ends, `from to frame`; one arrow for all between the same ends. */
function edges(): Map<string, TransitionName[]> {
  const found = new Map<string, TransitionName[]>();
  for (const name of NAMES.filter((each) => !NOT_DRAWN.includes(each))) {
    for (const { from, frame } of startsOf(transitionOf(name))) {
      for (const to of transitionOf(name).to.filter((state) => state !== from && !isWithin(state, frame))) {
        const key = [from, to, frame ?? ""].join(" ");
        found.set(key, [...(found.get(key) ?? []), name]);
      }
    }
  }
  return found;
}

const isWithin = (state: LifecycleState | "gone", frame: number | undefined): boolean =>
  frame !== undefined && FRAMES[frame]?.states.some((each) => each === state) === true;

/**
 * The states at which a transition's arrows start. One that all states of a frame have starts at the frame: drawn from its last state if it
 * leaves the frame, and otherwise from the state before the one that it leads to.
 */
function startsOf({ from, to }: Transition): { from: LifecycleState; frame?: number }[] {
  const whole = FRAMES.flatMap(({ states }, frame) =>
    states.every((state) => from.includes(state)) ? [{ states, frame }] : [],
  );
  const single = from.filter((state) => !whole.some(({ states }) => states.includes(state)));
  return [
    ...whole.flatMap(({ states, frame }) => {
      const inside = states.findIndex((state) => to.some((each) => each === state));
      const start = states.at(inside - 1) ?? states[0];
      const leaves = inside === -1;
      return start === undefined ? [] : [{ from: leaves ? (states.at(-1) ?? start) : start, ...(leaves && { frame }) }];
    }),
    ...single.map((state) => ({ from: state })),
  ];
}

function edgeStatement(key: string, names: readonly TransitionName[]): string {
  const [from = "", to = "", frame = ""] = key.split(" ");
  const isSpine = names.some((name) => SPINE.includes(name));
  const isFailure = names.every((name) => FAILURES.includes(name));
  return statement(`${quote(from)} -> ${quote(to)}`, {
    label: names.map((name) => `${SPACE}${name}${SPACE}`).join("\n"),
    ...(frame === "" ? {} : { ltail: `cluster_${frame}` }),
    ...(isFailure ? FAILURE_EDGE : isSpine ? SPINE_EDGE : {}),
  });
}

/** The legend below the picture. */
export function lifecycleLegend(): string {
  const text = (name: string, label: string): string => statement(quote(name), { shape: "plaintext", label });
  return `digraph legend {
${[
  statement("graph", { ...GRAPH, rankdir: "LR" }),
  statement("node", NODE),
  statement("edge", EDGE),
  text(
    "legend",
    "An arrow from a frame is possible from each of its states. An operator may reset every state except removing.",
  ),
].join(";\n")}
}
`;
}

/** The page of the states and transitions. */
export function lifecyclePage(): string {
  const states = Object.entries(LIFECYCLE_STATES).map(([name, meaning]) => [`\`${name}\``, meaning]);
  const transitions = NAMES.map((name) => {
    const { from, to, fenced, asRead } = transitionOf(name);
    const { by, repeated } = TRANSITION_TEXTS[name];
    const condition = fenced ? "the fence" : asRead === true ? "the record as it was read" : "the state";
    return [`\`${name}\``, by, from.join(", "), to.join(", "), condition, repeated];
  });
  return `<!-- Generated by \`npm run docs\` from core/volume-lifecycle.ts and core/volume-transitions.ts. -->

# The lifecycle of a volume's record

A volume's status is a word for clients, and an operator may set any. The state of its record follows from several columns:
\`lifecycleOf\` in \`core/volume-lifecycle.ts\` computes it. Each transition is one conditional write of the repository, and its condition
is computed from this table. Tests compare the conditions with the table for every combination of the columns, and run every transition on
records of every state in the store of the embedded cloud.

![The states of a record, and the transitions between them](lifecycle.svg)

## States

${table(["state", "meaning"], states)}

## Transitions

A call in any other state, or of an attempt that does not own the record, is refused and changes nothing. \`decided by\` names what the
store compares in addition: the attempt's fence, or the columns by which the caller has decided.

${table(["method", "by", "from", "to", "decided by", "repeated, it"], transitions)}
`;
}
