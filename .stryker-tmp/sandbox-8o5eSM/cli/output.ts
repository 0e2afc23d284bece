// @ts-nocheck
import type { ErrorReport } from "./errors.ts";
import { paint } from "./terminal.ts";
import type { Output } from "./terminal.ts";

/** The forms in which the commands answer: a document, a table, a list of fields, and one line for an error. */

/** One JSON document. */
export function renderJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** A table without lines, in the widths of its cells; right-hand columns by index. */
export async function renderTable(
  output: Pick<Output, "hasColours">,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  rightAligned: readonly number[] = [],
): Promise<string> {
  const { default: Table } = await import("cli-table3");
  const table = new Table({
    head: head.map((title) => paint(output, "bold", title)),
    chars: {
      top: "",
      "top-mid": "",
      "top-left": "",
      "top-right": "",
      bottom: "",
      "bottom-mid": "",
      "bottom-left": "",
      "bottom-right": "",
      left: "",
      "left-mid": "",
      mid: "",
      "mid-mid": "",
      right: "",
      "right-mid": "",
      middle: "  ",
    },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    colAligns: head.map((_, index) => (rightAligned.includes(index) ? "right" : "left")),
  });
  table.push(...rows.map((row) => [...row]));
  const lines = table.toString().split("\n");
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

/** Fields, one a line, with their values in one column. A value of several lines keeps to that column. */
export function renderFields(
  output: Pick<Output, "hasColours">,
  fields: readonly (readonly [string, string])[],
): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  const indent = " ".repeat(width + 2);
  return fields
    .map(([name, value]) => `${paint(output, "bold", name.padEnd(width))}  ${value.replaceAll("\n", `\n${indent}`)}\n`)
    .join("");
}

/** An error: one line, or one document. */
export function renderError(output: Pick<Output, "hasColours">, report: ErrorReport, json: boolean): string {
  const { name, message, hint } = report;
  if (json) {
    return renderJson({ error: { name, message, hint } });
  }
  const tail = hint === null ? "" : paint(output, "dim", ` (${hint})`);
  return `${paint(output, "red", "error:")} ${message}${tail}\n`;
}
