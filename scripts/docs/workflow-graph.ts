import { ERROR_ROUTES, type ErrorRoute } from "../../core/errors.ts";
import type { ChoiceRule, Definition, State } from "./definition.ts";
import {
  type Attributes,
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

/** An arrow of the picture. A failure's arrow may start at a frame, which represents all its states. */
type Edge = { from: string; to: string; label: string; failure: boolean; frame?: string };

/** States in one frame: a failure of any of them leads to the same places. */
type Frame = { name: string; states: string[]; failures: { label: string; to: string }[] };

/** From this number of rules on, the branches of a choice are drawn side by side. */
const WIDE_CHOICE = 3;

/**
 * The workflow as a graph in DOT. Success runs down the middle. The states whose failures take the same routes share a frame, and the
 * routes are drawn once, from the frame.
 */
export function workflowGraph(definition: Definition): string {
  const frames = framesOf(definition);
  const framed = new Set(frames.flatMap(({ states }) => states));
  const spine = spineOf(definition);
  const node = (name: string): string => {
    const { Type } = stateOf(definition, name);
    return statement(quote(name), {
      ...NODE_STYLES[Type],
      ...(spine.has(name) ? { group: "spine", penwidth: 1.6 } : {}),
      ...(isWide(definition, name, spine) ? { ordering: "out" } : {}),
    });
  };
  const lines = [
    statement("graph", { ...GRAPH, rankdir: "TB", compound: "true", newrank: "true", nodesep: 0.24, ranksep: 0.36 }),
    statement("node", NODE),
    statement("edge", EDGE),
    statement(quote("start"), { ...NODE_STYLES.Start, group: "spine" }),
    ...frames.flatMap((frame) => [
      `subgraph ${quote(frame.name)} {`,
      statement("graph", {
        ...FRAME,
        label: `${SPACE}${SPACE}${frameLabel(frame)}`,
        // Where arrows come in from above, the label is below.
        labelloc: frame.states.includes(definition.StartAt) ? "t" : "b",
      }),
      ...frame.states.map(node),
      "}",
    ]),
    ...Object.keys(definition.States)
      .filter((name) => !framed.has(name))
      .map(node),
    `"start" -> ${quote(definition.StartAt)}`,
    ...sameRanks(definition, frames, spine),
    ...edgesOf(definition, frames, spine).map((edge) => edgeStatement(definition, edge, spine)),
  ];
  return `digraph workflow {\n${lines.join(";\n").replaceAll("{;", "{")}\n}\n`;
}

function frameLabel({ failures }: Frame): string {
  const elsewhere = failures.length > 1;
  return elsewhere ? "until the backend holds the volume" : "the backend holds the volume";
}

function edgeStatement(definition: Definition, edge: Edge, spine: ReadonlySet<string>): string {
  const { from, to, label, failure, frame } = edge;
  const onSpine = spine.has(from) && spine.has(to);
  // Drawn backwards, so that the loop of a wait is to the left of its start.
  const backwards = definition.States[to]?.Type === "Wait";
  return statement(backwards ? `${quote(to)} -> ${quote(from)}` : `${quote(from)} -> ${quote(to)}`, {
    ...(backwards ? { dir: "back", tailport: "n", headport: "nw" } : {}),
    ...labelOf(label, backwards ? "taillabel" : frame === undefined ? "label" : "headlabel"),
    ...(backwards ? { labeldistance: 3.4, labelangle: 40 } : {}),
    ...(failure ? FAILURE_EDGE : onSpine ? SPINE_EDGE : {}),
    ...(frame === undefined ? {} : { ltail: frame, constraint: "false", labeldistance: 4.6, labelangle: 26 }),
  });
}

function labelOf(text: string, position: "label" | "headlabel" | "taillabel"): Attributes {
  return text === "" ? {} : { [position]: `${SPACE}${text}${SPACE}` };
}

/** Nodes that are drawn side by side: the branches of a wide choice, and the states after a failure next to the states before it. */
function sameRanks(definition: Definition, frames: readonly Frame[], spine: ReadonlySet<string>): string[] {
  const branches = Object.entries(definition.States)
    .filter(([name]) => isWide(definition, name, spine))
    .map(([name, state]) => stepsOf(name, state).map(({ to }) => to));
  const [first] = frames;
  const beside = first === undefined ? [] : first.failures.map(({ to }, index) => [anchorOf(first, index, spine), to]);
  const polls = Object.entries(definition.States)
    .filter(([, { Type }]) => Type === "Wait")
    .map(([name, { Next = "" }]) => [...predecessorsOf(definition, name), name, Next]);
  return [...branches, ...beside, ...polls].map((names) => `{rank=same; ${names.map(quote).join("; ")}}`);
}

function isWide(definition: Definition, name: string, spine: ReadonlySet<string>): boolean {
  const state = stateOf(definition, name);
  return (state.Choices ?? []).length >= WIDE_CHOICE && stepsOf(name, state).every(({ to }) => !spine.has(to));
}

/** A state of the frame's middle from which the arrow to one of its failures' targets is drawn, further down for each. */
function anchorOf(frame: Frame, index: number, spine: ReadonlySet<string>): string {
  const middle = frame.states.filter((name) => spine.has(name));
  const from = Math.ceil(((index + 1) * (middle.length - 1)) / frame.failures.length);
  return middle[from] ?? frame.states[0] ?? "";
}

/** Every arrow once: steps, choices, and failures, those of a frame from the frame. */
function edgesOf(definition: Definition, frames: readonly Frame[], spine: ReadonlySet<string>): Edge[] {
  const edges: Edge[] = Object.entries(definition.States).flatMap(([name, state]) => stepsOf(name, state));
  for (const frame of frames) {
    for (const [index, { label, to }] of frame.failures.entries()) {
      edges.push({ from: anchorOf(frame, index, spine), to, label, failure: true, frame: frame.name });
    }
  }
  for (const [from, state] of Object.entries(definition.States)) {
    const frame = frames.find(({ states }) => states.includes(from));
    const shared = new Set((frame?.failures ?? []).map(({ to }) => to));
    for (const { label, to } of failuresOf(state)) {
      if (!shared.has(to)) {
        edges.push({ from, to, label, failure: true });
      }
    }
  }
  return edges;
}

function stepsOf(from: string, state: State): Edge[] {
  const step = (to: string | undefined, label: string): Edge[] =>
    to === undefined ? [] : [{ from, to, label, failure: false }];
  const rules = state.Choices ?? [];
  return [
    ...step(state.Next, ""),
    ...rules.flatMap((rule) => step(rule.Next, ruleLabel(rule))),
    ...step(state.Default, "otherwise"),
  ];
}

/** `$.volume_spec.type` equal to `raw` reads `raw`; `$.creation.done` being false reads `not done`. */
function ruleLabel({ Variable, Next: _next, ...comparison }: ChoiceRule): string {
  const [value] = Object.values(comparison);
  const key = Variable.slice(Variable.lastIndexOf(".") + 1);
  return typeof value === "boolean" ? `${value ? "" : "not "}${key}` : String(value);
}

/** Routes of a state's failures: one entry a target, in the order of its Catch. */
function failuresOf(state: State): { label: string; to: string }[] {
  const catchers = state.Catch ?? [];
  const targets = [...new Set(catchers.map(({ Next }) => Next))];
  return targets.map((to) => {
    const names = catchers.filter(({ Next }) => Next === to).flatMap(({ ErrorEquals }) => ErrorEquals);
    return { to, label: failureLabel(names, targets.length > 1) };
  });
}

function failureLabel(names: readonly string[], hasOtherTargets: boolean): string {
  if (names.includes("States.ALL")) {
    return hasOtherTargets && names.length === 1 ? "any other failure" : "any failure";
  }
  const routes = new Set(
    names.map((name): ErrorRoute | undefined => (ERROR_ROUTES as Record<string, ErrorRoute>)[name]),
  );
  return routes.size === 1 && names.length > 1 ? `${[...routes][0]} error` : names.join(", ");
}

/**
 * Groups the states by the routes of their failures. A state that cannot fail, or that continues with its next state when it fails, joins
 * the states that lead to it, as long as these share a group.
 */
function framesOf(definition: Definition): Frame[] {
  const frames = new Map<string, Frame>();
  const frameOf = new Map<string, Frame>();
  const join = (name: string, frame: Frame): void => {
    frame.states.push(name);
    frameOf.set(name, frame);
  };
  const names = Object.keys(definition.States).filter((name) => reaches(definition, name));
  for (const name of names) {
    const state = stateOf(definition, name);
    const failures = failuresOf(state).filter(({ to }) => to !== state.Next);
    const isAlone = names.every((other) => other === name || !sameTargets(stateOf(definition, other), failures));
    if (failures.length === 0 || isAlone) {
      continue;
    }
    const key = failures.map(({ to }) => to).join();
    const leadsOn = ({ to }: { to: string }): boolean =>
      failures.some((other) => stepsOf("", stateOf(definition, to)).some((step) => step.to === other.to));
    const ordered = failures.toSorted((one, other) => Number(leadsOn(other)) - Number(leadsOn(one)));
    const frame = frames.get(key) ?? { name: `cluster_${frames.size}`, states: [], failures: ordered };
    frames.set(key, frame);
    join(name, frame);
  }
  for (let joined = true; joined;) {
    joined = false;
    for (const name of names) {
      const state = stateOf(definition, name);
      const before = predecessorsOf(definition, name).map((from) => frameOf.get(from));
      const [frame] = before;
      const isStep = state.Next !== undefined || state.Choices !== undefined;
      if (isStep && !frameOf.has(name) && frame !== undefined && before.every((other) => other === frame)) {
        join(name, frame);
        joined = true;
      }
    }
  }
  return [...frames.values()];
}

function sameTargets(state: State, failures: readonly { to: string }[]): boolean {
  const targets = failuresOf(state).flatMap(({ to }) => (to === state.Next ? [] : [to]));
  return targets.join() === failures.map(({ to }) => to).join();
}

function predecessorsOf(definition: Definition, name: string): string[] {
  return Object.entries(definition.States).flatMap(([from, state]) =>
    stepsOf(from, state).some(({ to }) => to === name) ? [from] : [],
  );
}

/** The states that every successful execution passes. */
function spineOf(definition: Definition): Set<string> {
  const names = Object.keys(definition.States);
  const ends = names.filter((name) => stateOf(definition, name).Type === "Succeed" && reaches(definition, name));
  return new Set(names.filter((name) => ends.every((end) => name === end || !reaches(definition, end, name))));
}

/** Whether success leads from the start to a state, also without passing another one. */
function reaches(definition: Definition, target: string, without?: string): boolean {
  const seen = new Set<string>();
  const queue = [definition.StartAt];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (name !== without && !seen.has(name)) {
      seen.add(name);
      queue.push(...stepsOf(name, stateOf(definition, name)).map(({ to }) => to));
    }
  }
  return seen.has(target);
}

function stateOf(definition: Definition, name: string): State {
  const state = definition.States[name];
  if (state === undefined) {
    throw new Error(`the definition has no state ${name}`);
  }
  return state;
}
