import { escapedInJson, isUnsafe, oneLine } from "./safe-text.ts";

/** The forms in which lists and records are written for other programs, as in openstackclient (`cliff/formatters`). */

/** Forms of a list. */
export const LIST_FORMATS = ["table", "json", "yaml", "value", "csv"] as const;

/** Forms of a record. */
export const RECORD_FORMATS = ["table", "json", "yaml", "value"] as const;

/** See {@link LIST_FORMATS}. */
export type Format = (typeof LIST_FORMATS)[number];

/** A YAML document; strings that a terminal would interpret are quoted and escaped, so that parsing returns the same value. */
export async function renderYaml(value: unknown): Promise<string> {
  const { Document, isScalar, visit } = await import("yaml");
  const document = new Document(JSON.parse(JSON.stringify(value)));
  visit(document, {
    Scalar: (_key, scalar) => {
      if (isScalar(scalar) && typeof scalar.value === "string" && isUnsafe(scalar.value)) {
        scalar.type = "QUOTE_DOUBLE";
      }
    },
  });
  return escapedInJson(document.toString({ lineWidth: 0 }));
}

/** One line a row: the values, with a space between two of them. */
export function renderValues(rows: readonly (readonly unknown[])[]): string {
  return rows.map((row) => `${row.map(valueText).join(" ")}\n`).join("");
}

/** Comma-separated values after RFC 4180, with a line of titles; as in openstackclient everything but numbers is quoted. */
export function renderCsv(titles: readonly string[], rows: readonly (readonly unknown[])[]): string {
  return [titles, ...rows].map((row) => `${row.map(csvCell).join(",")}\n`).join("");
}

function csvCell(value: unknown): string {
  if (typeof value === "number") {
    return String(value);
  }
  return value === null || value === undefined ? '""' : `"${valueText(value).replaceAll('"', '""')}"`;
}

/** As openstackclient and the AWS CLI write it: `None` for an empty value, JSON for structured values. */
function valueText(value: unknown): string {
  if (value === null || value === undefined) {
    return "None";
  }
  return oneLine(typeof value === "string" ? value : JSON.stringify(value));
}
