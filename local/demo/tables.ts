import Table from "cli-table3";
import type { Screen } from "../screen.ts";

/** Layout of a table's columns. */
export type TableOptions = {
  /** Indexes of the right-aligned columns. */
  rightAligned?: readonly number[];
  /** Index of the column that gets the remaining width, and wraps its text over several lines. */
  wrapped?: number;
};

const GAP = "  ";
const BORDERS =
  "top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid";

/** A table without lines, indented as the sections are. */
export function renderTable(
  screen: Screen,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { rightAligned = [], wrapped }: TableOptions = {},
): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => plain(row[column]).length)));
  if (wrapped !== undefined) {
    const others = widths.reduce((sum, width, column) => sum + (column === wrapped ? 0 : width), 0);
    widths[wrapped] = Math.max(20, screen.columns - 2 - others - GAP.length * (head.length - 1));
  }
  const table = new Table({
    head: head.map((title) => screen.paint("dim", title)),
    chars: { ...Object.fromEntries(BORDERS.split(" ").map((name) => [name, ""])), middle: GAP },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    colAligns: head.map((_, column) => (rightAligned.includes(column) ? "right" : "left")),
    colWidths: widths,
    wordWrap: true,
    wrapOnWordBoundary: true,
  });
  table.push(...rows.map((row) => [...row]));
  const lines = table.toString().split("\n");
  return lines.map((line) => `  ${line}`.trimEnd()).join("\n");
}

/** The text without the codes of its colours. */
function plain(text = ""): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/\u001B\[\d+m/g, "");
}
