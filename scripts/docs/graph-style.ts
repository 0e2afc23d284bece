/** Shapes and colours of the pictures, for the graph and its legend. */

/** Attributes of Graphviz, written out in the order given. */
export type Attributes = Readonly<Record<string, string | number>>;

export const INK = "#24292f";
const FAINT = "#8c5a5a";

/** Fonts that every viewer replaces similarly; Graphviz knows the widths of Helvetica. */
export const FONT = "Helvetica,Arial,sans-serif";

export const GRAPH: Attributes = { bgcolor: "transparent", fontname: FONT, fontsize: 11, pad: 0, margin: 0 };
export const NODE: Attributes = { fontname: FONT, fontsize: 12, fontcolor: INK, height: 0.36, margin: "0.2,0.05" };
export const EDGE: Attributes = {
  fontname: FONT,
  fontsize: 10,
  fontcolor: "#57606a",
  color: "#57606a",
  arrowsize: 0.65,
};

/** Styles of nodes by kind; `Start` is the entry of an execution. */
export const NODE_STYLES = {
  Start: { shape: "circle", style: "filled", fillcolor: INK, color: INK, label: "", width: 0.14, height: 0.14 },
  Task: { shape: "box", style: "rounded,filled", fillcolor: "#e7f0fb", color: "#4a78b0" },
  Choice: { shape: "hexagon", style: "filled", fillcolor: "#fff5d6", color: "#b58a1b" },
  Wait: { shape: "ellipse", style: "filled", fillcolor: "#eeeeee", color: "#8b949e", margin: "0.02,0.03" },
  Pass: { shape: "box", style: "filled", fillcolor: "#ffffff", color: "#8b949e" },
  Succeed: { shape: "box", style: "rounded,filled", fillcolor: "#def3e3", color: "#2f8a4a", peripheries: 2 },
  Fail: { shape: "box", style: "rounded,filled", fillcolor: "#fbe3e1", color: "#c0392f", peripheries: 2 },
} as const satisfies Record<string, Attributes>;

/** Keeps a label away from its line; a plain space at the end of a text is not drawn. */
export const SPACE = "\u00a0";

/** A step that every success takes. */
export const SPINE_EDGE: Attributes = { weight: 20, penwidth: 1.6 };

/** A step after a failure. */
export const FAILURE_EDGE: Attributes = { style: "dashed", color: "#c98a85", fontcolor: FAINT, arrowsize: 0.6 };

/** A frame around states whose failures lead to the same places. */
export const FRAME: Attributes = {
  style: "rounded,filled",
  fillcolor: "#fbfbfc",
  color: "#d5dae0",
  fontname: FONT,
  fontsize: 11,
  fontcolor: "#57606a",
  labeljust: "l",
  margin: 14,
};

/** `name [a="1", b="2"]` of DOT. */
export function statement(name: string, attributes: Attributes): string {
  return `${name} [${Object.entries(attributes)
    .map(([key, value]) => `${key}=${quote(String(value))}`)
    .join(", ")}]`;
}

/** A name or text of DOT. */
export function quote(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
