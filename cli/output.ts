import type { ErrorReport } from "./errors.ts";
import { escapedInJson } from "./safe-text.ts";
import { paint } from "./terminal.ts";
import type { Output } from "./terminal.ts";

/** Formats of the commands' answers, in addition to tables and lists of records: a document, a list of fields, one line for an error. */

/** One JSON document. */
export function renderJson(value: unknown): string {
  return `${escapedInJson(JSON.stringify(value, null, 2))}\n`;
}

/** Fields, one a line, with their values in one column. A value of several lines stays in that column. */
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

/** An error: one line, or one document. `stack` helps to locate the error. */
export function renderError(
  output: Pick<Output, "hasColours">,
  report: ErrorReport,
  json: boolean,
  stack?: string,
): string {
  const { name, message, hint } = report;
  if (json) {
    return renderJson({ error: { name, message, hint, ...(stack === undefined ? {} : { stack: stack.split("\n") }) } });
  }
  const tail = hint === null ? "" : paint(output, "dim", ` (${hint})`);
  return `${paint(output, "red", "error:")} ${message}${tail}\n${stack === undefined ? "" : `${stack}\n`}`;
}
