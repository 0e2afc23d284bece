import type { Template } from "../../infra/inline-template.ts";
import { type Column, columnsOf, type Group, groupsOf, type Row, type Use, WORKFLOW } from "./architecture-rows.ts";
import { FONT, INK } from "./graph-style.ts";

const FAINT = "#57606a";
const LINE = "#d5dae0";
const BOXES = {
  plain: { fill: "#ffffff", line: "#8b949e" },
  api: { fill: "#e6f4f1", line: "#2f7f74" },
  function: { fill: "#fdeede", line: "#c9802f" },
  workflow: { fill: "#fbe3ee", line: "#b0417c" },
  queue: { fill: "#f1e8fb", line: "#7a4ab0" },
  rule: { fill: "#eeeeee", line: "#8b949e" },
  call: { fill: "#ffffff", line: "#d5dae0" },
} as const;

type Look = keyof typeof BOXES;

const MARGIN = 24;
const ROW = 30;
const START = { x: MARGIN, width: 218 };
const FUNCTION = { x: 278, width: 186 };
const CELLS = { x: 500, width: 36 };
const BAND = { top: 56, height: 104 };
const HEADINGS = 118;

/**
 * The stack in one picture, from its synthesised template. At the top a create runs from left to right. Below, each function has a row:
 * on the left the queue, rule or caller that starts it, on the right the data that it uses. The nets stand below the requests.
 */
export function architecturePicture(title: string, template: Template): string {
  const columns = columnsOf(template);
  const groups = groupsOf(template);
  const width = CELLS.x + columns.length * CELLS.width + MARGIN + 30;
  const tableTop = BAND.top + BAND.height + HEADINGS;
  const rows = placed(groups, tableTop);
  const bottom = (rows.at(-1)?.y ?? tableTop) + ROW;
  const height = bottom + 62;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title" font-family="${FONT}" font-size="12" fill="${INK}">
<title id="title">${title}</title>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="${FAINT}"/></marker></defs>
<rect width="${width}" height="${height}" rx="12" fill="#ffffff"/>
${flow(width)}
${headings(columns, tableTop, bottom)}
${rows.map(({ group, row, y }) => (row === undefined ? groupTitle(group, y, width) : rowAt(row, columns, y))).join("\n")}
${legend(bottom + 34)}
</svg>
`;
}

type Placed = { group: Group; row: Row | undefined; y: number };

/** Each group's title, then its rows, from the top down; `y` is the middle of a line. */
function placed(groups: readonly Group[], top: number): Placed[] {
  const lines = groups.flatMap((group) => [undefined, ...group.rows].map((row) => ({ group, row })));
  return lines.map((line, index) => ({ ...line, y: top + index * ROW + ROW / 2 }));
}

/** A create from left to right: one box for each step, with the way back to the scheduler below. */
function flow(width: number): string {
  const steps: readonly [string, Look][] = [
    ["clients", "plain"],
    ["HTTP API", "api"],
    ["BlockStorageApi", "function"],
    ["scheduler queue", "queue"],
    ["ScheduleVolume", "function"],
    [WORKFLOW, "workflow"],
    ["notifications", "queue"],
  ];
  const gap = 26;
  const boxWidth = (width - 2 * MARGIN - gap * (steps.length - 1)) / steps.length;
  const y = BAND.top + 44;
  const left = (index: number): number => MARGIN + index * (boxWidth + gap);
  const middle = (index: number): number => left(index) + boxWidth / 2;
  const boxes = steps.map(([label, look], index) => box(left(index), y, boxWidth, label, look));
  const arrows = steps.slice(1).map((_, index) => arrow(`M${left(index) + boxWidth} ${y}H${left(index + 1) - 1}`));
  return [
    text(MARGIN, 34, "A create, from left to right", { size: 15, weight: 600 }),
    arrow(`M${middle(0)} ${y - 13}V${y - 30}H${middle(3)}V${y - 14}`),
    text(middle(1), y - 35, "command line: record, then message", { fill: FAINT, size: 11 }),
    arrow(`M${middle(5)} ${y + 13}V${y + 32}H${middle(3)}V${y + 14}`, "4 3"),
    text(middle(4), y + 46, "reschedule on another backend", { fill: FAINT, size: 11, anchor: "middle" }),
    ...arrows,
    ...boxes,
  ].join("\n");
}

function headings(columns: readonly Column[], top: number, bottom: number): string {
  const firstMessage = columns.findIndex(({ isMessage }) => isMessage);
  const lines = columns.map(({ label }, index) => {
    const x = cellX(index);
    return `<path d="M${x} ${top - 2}V${bottom}" stroke="#eef0f2"/>
<text x="${x}" y="${top - 8}" transform="rotate(-50 ${x} ${top - 8})" fill="${INK}">${label}</text>`;
  });
  return [
    text(START.x, top - 12, "started by", { fill: FAINT }),
    text(FUNCTION.x, top - 12, "function", { fill: FAINT }),
    ...lines,
    `<path d="M${cellX(firstMessage) - CELLS.width / 2} ${top - 2}V${bottom}" stroke="${LINE}"/>`,
  ].join("\n");
}

function groupTitle({ title }: Group, y: number, width: number): string {
  return `<path d="M${MARGIN} ${y - ROW / 2}H${width - MARGIN}" stroke="${LINE}"/>
${text(MARGIN, y + 5, title, { weight: 600, size: 13 })}`;
}

function rowAt({ name, isWorkflow, starts, uses }: Row, columns: readonly Column[], y: number): string {
  const share = (START.width - 8 * (starts.length - 1)) / Math.max(starts.length, 1);
  return [
    ...starts.map(({ kind, label }, index) => box(START.x + index * (share + 8), y, share, label, kind)),
    arrow(`M${START.x + START.width} ${y}H${FUNCTION.x - 1}`),
    box(FUNCTION.x, y, FUNCTION.width, name, isWorkflow ? "workflow" : "function"),
    `<path d="M${FUNCTION.x + FUNCTION.width + 8} ${y}H${cellX(columns.length - 1)}" stroke="#eef0f2"/>`,
    ...columns.flatMap(({ id }, index) => mark(uses.get(id), cellX(index), y)),
  ].join("\n");
}

const cellX = (index: number): number => CELLS.x + index * CELLS.width + CELLS.width / 2;

/** The use of a store or queue, in a cell. */
function mark(use: Use | undefined, x: number, y: number): string[] {
  if (use === undefined) {
    return [];
  }
  const marks = {
    reads: `<circle cx="${x}" cy="${y}" r="5" fill="#ffffff" stroke="#4a78b0" stroke-width="1.6"/>`,
    writes: `<circle cx="${x}" cy="${y}" r="6" fill="#4a78b0"/>`,
    sends: `<path d="M${x - 5} ${y - 6}L${x + 7} ${y}L${x - 5} ${y + 6}z" fill="#7a4ab0"/>`,
  };
  return [marks[use]];
}

/** The meaning of shapes and marks, in one row. */
function legend(y: number): string {
  const looks: readonly [string, Look][] = [
    ["function", "function"],
    ["state machine", "workflow"],
    ["queue, topic", "queue"],
    ["rule, schedule", "rule"],
    ["caller", "call"],
  ];
  const marks: readonly [string, Use, number][] = [
    ["reads", "reads", 620],
    ["reads and writes", "writes", 690],
    ["sends messages or events", "sends", 820],
  ];
  return [
    ...looks.map(([label, look], index) => box(MARGIN + index * 112, y, 104, label, look)),
    ...marks.flatMap(([label, use, x]) => [...mark(use, x, y), text(x + 12, y + 4, label, { size: 11, fill: FAINT })]),
  ].join("\n");
}

function box(x: number, y: number, width: number, label: string, look: Look): string {
  const { fill, line } = BOXES[look];
  const radius = look === "queue" ? 12 : 5;
  return `<rect x="${x}" y="${y - 12}" width="${width}" height="24" rx="${radius}" fill="${fill}" stroke="${line}"/>
${text(x + width / 2, y + 4, label, { anchor: "middle" })}`;
}

const arrow = (path: string, dashes?: string): string =>
  `<path d="${path}" fill="none" stroke="${FAINT}" stroke-width="1.3"${dashes === undefined ? "" : ` stroke-dasharray="${dashes}"`} marker-end="url(#arrow)"/>`;

type TextStyle = { fill?: string; size?: number; weight?: number; anchor?: string };

const text = (
  x: number,
  y: number,
  content: string,
  { fill = INK, size = 12, weight = 400, anchor = "start" }: TextStyle,
): string =>
  `<text x="${x}" y="${y}" fill="${fill}" font-size="${size}" font-weight="${weight}" text-anchor="${anchor}">${content}</text>`;
