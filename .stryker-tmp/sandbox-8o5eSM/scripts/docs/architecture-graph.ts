// @ts-nocheck
import { type FunctionName, SERVICE_FUNCTIONS } from "../../core/functions.ts";
import type { Template } from "../../infra/inline-template.ts";
import { type Attributes, EDGE, FRAME, GRAPH, NODE, quote, statement } from "./graph-style.ts";
import { isTask, permissionsOf, shortId, triggersOf } from "./template-facts.ts";

const BOX = { shape: "box", style: "rounded,filled" };
const STYLES = {
  function: { ...BOX, fillcolor: "#fdeede", color: "#c9802f" },
  workflow: { ...BOX, fillcolor: "#fbe3ee", color: "#b0417c", penwidth: 1.6 },
  table: { shape: "cylinder", style: "filled", fillcolor: "#e7f0fb", color: "#4a78b0" },
  storage: { shape: "cylinder", style: "filled", fillcolor: "#def3e3", color: "#2f8a4a" },
  queue: { shape: "cds", style: "filled", fillcolor: "#f1e8fb", color: "#7a4ab0", margin: "0.3,0.08" },
  rule: { shape: "ellipse", style: "filled", fillcolor: "#eeeeee", color: "#8b949e" },
} as const satisfies Record<string, Attributes>;

type Kind = keyof typeof STYLES;

/** How a type of resource is drawn; types that are not here are no part of the picture. */
const KINDS: Readonly<Record<string, Kind>> = {
  "AWS::DynamoDB::Table": "table",
  "AWS::S3::Bucket": "storage",
  "AWS::EFS::FileSystem": "storage",
  "AWS::SQS::Queue": "queue",
  "AWS::SNS::Topic": "queue",
  "AWS::Events::Rule": "rule",
};

const WORKFLOW = "the workflow and its tasks";

/**
 * The stack as a graph in DOT, out of its synthesised template: what starts what, and what reads or writes what. The tasks of the
 * workflow are one node, because their own picture has them one by one; a line from a function is a permission of its role.
 */
export function architectureGraph(template: Template): string {
  const parts = Object.entries(template.Resources).flatMap(([id, { Type }]) => {
    const kind = KINDS[Type];
    return kind === undefined || id.startsWith("Observability") ? [] : [[id, kind] as const];
  });
  const services = Object.keys(SERVICE_FUNCTIONS) as FunctionName[];
  const nodes = [
    statement(quote(WORKFLOW), STYLES.workflow),
    ...services.map((name) => statement(quote(name), STYLES.function)),
    ...parts.map(([id, kind]) => statement(quote(id), { ...STYLES[kind], label: labelOf(id) })),
  ];
  const lines = [
    statement("graph", { ...GRAPH, rankdir: "LR", nodesep: 0.18, ranksep: 0.8 }),
    statement("node", NODE),
    statement("edge", EDGE),
    "subgraph cluster_data {",
    statement("graph", { ...FRAME, label: "what keeps data" }),
    ...parts.filter(([, kind]) => kind === "table" || kind === "storage").map(([id]) => quote(id)),
    "}",
    ...nodes,
    ...edgesOf(template, new Set(parts.map(([id]) => id))),
  ];
  return `digraph architecture {\n${lines.join(";\n").replaceAll("{;", "{")}\n}\n`;
}

/** A line of the picture: what starts what, or what uses what. */
type Line = { from: string; to: string; starts: boolean };

function edgesOf(template: Template, parts: ReadonlySet<string>): string[] {
  const nodeOf = (name: FunctionName): string => (isTask(name) ? WORKFLOW : name);
  const starts = triggersOf(template).map(({ from, function: name }): Line => ({
    from,
    to: nodeOf(name),
    starts: true,
  }));
  const uses = permissionsOf(template).flatMap(({ function: name, resource }): Line[] => {
    const from = nodeOf(name);
    if (shortId(resource) === "WorkflowCreateVolume") {
      return [{ from, to: WORKFLOW, starts: true }];
    }
    const isTrigger = starts.some((line) => line.from === resource && line.to === from);
    return parts.has(resource) && !isTrigger ? [{ from, to: resource, starts: false }] : [];
  });
  const failures = [...parts]
    .filter((id) => id.startsWith("NetsExecutionFailed"))
    .map((id): Line => ({ from: WORKFLOW, to: id, starts: true }));
  const unique = new Map([...starts, ...failures, ...uses].map((line) => [`${line.from} ${line.to}`, line]));
  return [...unique.values()].map((line) =>
    statement(`${quote(line.from)} -> ${quote(line.to)}`, {
      ...(line.starts ? { penwidth: 1.6, weight: 4 } : { color: "#c3cad1", arrowsize: 0.5 }),
      // What goes back to the scheduler would turn the picture round.
      ...(line.from === WORKFLOW && shortId(line.to) === "MessagingSchedulerQueue" ? { constraint: "false" } : {}),
    }),
  );
}

/** `RecordsVolumesTable1234ABCD` as `volumes table`. */
function labelOf(logicalId: string): string {
  return shortId(logicalId)
    .replace(/^(Records|Messaging|Nets|Storage)/, "")
    .replaceAll(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase();
}

/** What the shapes mean, in one row, as a graph in DOT. */
export function architectureLegend(): string {
  const words = {
    function: "function",
    workflow: "state machine",
    table: "table",
    storage: "files, objects",
    queue: "queue, topic",
    rule: "rule, schedule",
  };
  const small = { fontsize: 10, height: 0.26, margin: "0.1,0.03" };
  const nodes = Object.entries(words).map(([kind, label]) =>
    statement(quote(kind), { ...STYLES[kind as Kind], ...small, label }),
  );
  return `digraph legend {
${[
  statement("graph", { ...GRAPH, rankdir: "LR", nodesep: 0.1, ranksep: 0.12 }),
  statement("node", NODE),
  statement("edge", EDGE),
  ...nodes,
  statement(`"from start" -> "to start"`, { penwidth: 1.6, label: " starts " }),
  statement(`"from use" -> "to use"`, { color: "#c3cad1", arrowsize: 0.5, label: " reads or writes " }),
  statement(["from start", "to start", "from use", "to use"].map(quote).join(","), {
    style: "invis",
    label: "",
    shape: "point",
  }),
  statement([...Object.keys(words), "from start"].map(quote).join(" -> "), { style: "invis" }),
  statement(`"to start" -> "from use"`, { style: "invis" }),
].join(";\n")}
}
`;
}
