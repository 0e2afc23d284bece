import { EDGE, FAILURE_EDGE, GRAPH, NODE, NODE_STYLES, quote, SPACE, SPINE_EDGE, statement } from "./graph-style.ts";

const NODES = [
  ["Task", "task: one function"],
  ["Choice", "choice"],
  ["Wait", "wait"],
  ["Succeed", "success"],
  ["Fail", "failure"],
] as const;

const EDGES = [
  ["step", {}],
  ["step of every success", SPINE_EDGE],
  ["failure (Catch)", FAILURE_EDGE],
] as const;

/** The meaning of shapes and lines, in one row, as a graph in DOT. */
export function legendGraph(): string {
  const small = { fontsize: 10, height: 0.26, margin: "0.1,0.03" };
  const nodes = NODES.map(([type, label]) => statement(quote(type), { ...NODE_STYLES[type], ...small, label }));
  const edges = EDGES.flatMap(([label, style], index) => [
    statement(`"from ${index}", "to ${index}"`, { style: "invis", label: "", shape: "point", width: 0.02 }),
    statement(`"from ${index}" -> "to ${index}"`, { ...style, label: `${SPACE}${label}${SPACE}`, minlen: 2 }),
  ]);
  const row = [...NODES.map(([type]) => type), ...EDGES.flatMap((_, index) => [`from ${index}`, `to ${index}`])];
  return `digraph legend {
${[
  statement("graph", { ...GRAPH, rankdir: "LR", nodesep: 0.1, ranksep: 0.12 }),
  statement("node", NODE),
  statement("edge", EDGE),
  ...nodes,
  ...edges,
  statement(row.map(quote).join(" -> "), { style: "invis" }),
].join(";\n")}
}
`;
}
