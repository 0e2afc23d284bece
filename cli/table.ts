import stringWidth from "string-width";
import { paint, type Style } from "./terminal.ts";
import type { Output } from "./terminal.ts";

/**
 * Tables without lines, as wide as the output at most. A library for tables measures every cell several times: 10,000 rows took 23 s.
 */

/** One cell; a plain text is one without a style. */
export type Cell = string | { text: string; style: Style };

/** A column: its title, where its cells end, and whether it may be cut. */
export type TableColumn = { title: string; isRightAligned?: boolean; isKept?: boolean };

const GAP = "  ";

/** Narrowest that a column is cut to, unless it is as narrow by itself. */
const LEAST_WIDTH = 3;

/** Narrowest that a title is cut to while cells can still be cut. */
const LEAST_TITLE_WIDTH = 4;

/** Width of a protected column when nothing else can be cut: the first part of a UUID. */
const LEAST_KEPT_WIDTH = 9;

const ELLIPSIS = "…";

/**
 * The table. Where it does not fit `output.columns`, titles that are wider than their cells are cut, then cells: the widest columns first, the
 * protected ones last.
 */
export function renderTable(
  output: Pick<Output, "hasColours" | "columns">,
  columns: readonly TableColumn[],
  rows: readonly (readonly Cell[])[],
): string {
  const measured = columns.map(({ title }, index): Measured => {
    const cells = rows.reduce((width, row) => Math.max(width, widthOf(textOf(row[index]))), 0);
    return { cells, all: Math.max(cells, widthOf(title)) };
  });
  const widths = fitted(columns, measured, output.columns - GAP.length * (columns.length - 1));
  const head = columns.map(({ title }): Cell => ({ text: title, style: "bold" }));
  return [head, ...rows].map((row) => renderRow(output, columns, widths, row)).join("");
}

function renderRow(
  output: Pick<Output, "hasColours">,
  columns: readonly TableColumn[],
  widths: readonly number[],
  row: readonly Cell[],
): string {
  const cells = columns.map(({ isRightAligned = false }, index) => {
    const cell = row[index] ?? "";
    const width = widths[index] ?? 0;
    const text = cut(textOf(cell), width);
    const padding = " ".repeat(Math.max(0, width - widthOf(text)));
    const shown = typeof cell === "string" ? text : paint(output, cell.style, text);
    return isRightAligned ? padding + shown : shown + (index === columns.length - 1 ? "" : padding);
  });
  return `${cells.join(GAP).trimEnd()}\n`;
}

/** Width of a column's widest cell, and of the column with its title. */
type Measured = { cells: number; all: number };

/** The widths of the columns, so that their sum is `room`, or as near to it as their least widths allow. */
function fitted(columns: readonly TableColumn[], measured: readonly Measured[], room: number): number[] {
  const widths = measured.map(({ all }) => all);
  const narrow = (isMeant: (index: number) => boolean, leastOf: (index: number) => number): void => {
    for (let excess = sum(widths) - room; excess > 0; excess = sum(widths) - room) {
      const candidates = widths.flatMap((width, index) =>
        isMeant(index) && width > leastOf(index) ? [{ width, index }] : [],
      );
      const widest = candidates.toSorted((one, other) => other.width - one.width)[0];
      if (widest === undefined) {
        return;
      }
      const equals = candidates.filter(({ width }) => width === widest.width);
      const nextWidths = candidates.filter(({ width }) => width < widest.width).map(({ width }) => width);
      const next = Math.max(...equals.map(({ index }) => leastOf(index)), ...nextWidths);
      // Cuts all of the widest at once, at most down to the next width.
      const step = Math.max(1, Math.min(widest.width - next, Math.floor(excess / equals.length)));
      for (const { index } of equals.slice(0, Math.max(1, Math.ceil(excess / step)))) {
        widths[index] = widest.width - step;
      }
    }
  };
  const isKept = (index: number): boolean => columns[index]?.isKept ?? false;
  narrow(
    () => true,
    (index) => Math.max(LEAST_TITLE_WIDTH, measured[index]?.cells ?? 0),
  );
  narrow(
    (index) => !isKept(index),
    () => LEAST_WIDTH,
  );
  narrow(isKept, () => LEAST_KEPT_WIDTH);
  return widths;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function textOf(cell: Cell | undefined): string {
  return typeof cell === "object" ? cell.text : (cell ?? "");
}

/** Columns that a text takes on a terminal. */
function widthOf(text: string): number {
  return isPlain(text) ? text.length : stringWidth(text);
}

/** Printable ASCII takes one column for each character. */
function isPlain(text: string): boolean {
  return /^[\x20-\x7E]*$/.test(text);
}

const segmenter = new Intl.Segmenter();

function cut(text: string, width: number): string {
  if (widthOf(text) <= width) {
    return text;
  }
  if (isPlain(text)) {
    return `${text.slice(0, width - 1).trimEnd()}${ELLIPSIS}`;
  }
  let kept = "";
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    used += widthOf(segment);
    if (used > width - 1) {
      break;
    }
    kept += segment;
  }
  return `${kept.trimEnd()}${ELLIPSIS}`;
}
