import { type Command, InvalidArgumentError, Option } from "commander";
import { UsageError } from "./errors.ts";
import { type Format, LIST_FORMATS, RECORD_FORMATS, renderCsv, renderValues, renderYaml } from "./formats.ts";
import { collectText } from "./options.ts";
import { renderFields, renderJson } from "./output.ts";
import type { Session } from "./session.ts";
import type { Style } from "./terminal.ts";

/**
 * Lists and records: the columns of each kind of object, the selected columns, their order, and the format of the answer. The options are
 * those of openstackclient.
 */

/** One column of a list, or one field of a record. */
export type Column<Row> = {
  title: string;
  /** The plain value, for other programs and for sorting. */
  value: (row: Row) => unknown;
  /** The text for people, if it differs from the value; safe to show on a terminal. */
  text?: (row: Row) => string;
  style?: (row: Row) => Style;
  isRightAligned?: true;
  /** Cut last, because a cut id is useless. */
  isKept?: true;
  /** Only shown with --long, or when it is selected by its name. */
  isLong?: true;
};

/** Options of every list. */
export type ListOptions = RecordOptions & { sort?: SortKey[]; limit?: number; long?: boolean };

/** Options of every record that is shown. */
export type RecordOptions = { format?: Format; column?: string[] };

/** A column's title, in lower case, and the direction. */
export type SortKey = { title: string; isDescending: boolean };

/** Adds `-f`, `-c`, `--sort`, `--limit` and, where a column is a long one, `--long` to a command that lists. */
export function addListOptions<Row>(command: Command, columns: readonly Column<Row>[]): Command {
  const titles = columns.map(({ title }) => title).join(", ");
  command
    .addOption(new Option("-f, --format <format>", "form of the answer").choices(LIST_FORMATS))
    .option("-c, --column <title>", `only this column; may be repeated: ${titles}`, collectText)
    .option("--sort <title[:asc|desc]>", "sort by columns, as in Size:desc,Name", parseSort)
    .option("--limit <count>", "show at most this many", parseCount);
  return columns.some(({ isLong }) => isLong) ? command.option("--long", "show all columns") : command;
}

/** Adds `-f` and `-c` to a command that answers with one record. */
export function addRecordOptions(command: Command): Command {
  return command
    .addOption(new Option("-f, --format <format>", "form of the answer").choices(RECORD_FORMATS))
    .option("-c, --column <title>", "only this field; may be repeated", collectText);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!/^[0-9]+$/.test(text) || count < 1 || !Number.isSafeInteger(count)) {
    throw new InvalidArgumentError("It must be a whole number, 1 or more.");
  }
  return count;
}

function parseSort(text: string): SortKey[] {
  return text.split(",").map((part) => {
    const match = /^(?<title>[^:]+?)(?::(?<direction>asc|desc))?$/.exec(part.trim());
    if (match?.groups?.["title"] === undefined) {
      throw new InvalidArgumentError("It must be TITLE, TITLE:asc or TITLE:desc, with commas between several.");
    }
    return { title: normalized(match.groups["title"]), isDescending: match.groups["direction"] === "desc" };
  });
}

/** A kind of object to list. */
export type Listing<Row> = {
  /** Name of the list in the document. */
  key: string;
  /** For the last line: `volume`, `volumes`. */
  one: string;
  many: string;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  /** The form of a row in --json, if it differs from the row. */
  documentOf?: (row: Row) => unknown;
};

/**
 * Answers with a list. `--json` gives the whole records with the total; `-f` the columns; without either there is a table with the
 * total in its last line. The rows stay in their order unless `--sort` is given.
 */
export async function answerList<Row>(session: Session, listing: Listing<Row>, options: ListOptions): Promise<void> {
  const { columns, key, documentOf = (row: Row): unknown => row } = listing;
  refuseMixedForms(session, options);
  const shown = chosenColumns(columns, options);
  const sorted = options.sort === undefined ? listing.rows : sortedBy(listing.rows, sortColumns(columns, options.sort));
  const rows = sorted.slice(0, options.limit);
  if (session.json) {
    session.stdout.write(renderJson({ [key]: rows.map(documentOf), total: listing.rows.length }));
    return;
  }
  session.stdout.write(await renderList(session, { ...listing, rows, columns: shown }, listing.rows.length, options));
}

async function renderList<Row>(
  session: Session,
  listing: Listing<Row>,
  total: number,
  { format = "table" }: ListOptions,
): Promise<string> {
  const { columns, rows, one, many } = listing;
  const values = (): unknown[][] => rows.map((row) => columns.map(({ value }) => value(row)));
  if (format === "table") {
    if (rows.length === 0) {
      return `no ${many}\n`;
    }
    const { renderTable } = await import("./table.ts");
    const cells = rows.map((row) => columns.map((column) => cellOf(column, row)));
    const count = rows.length < total ? `${rows.length} of ${total} ${many}` : `${total} ${total === 1 ? one : many}`;
    return `${renderTable(session.stdout, columns, cells)}${count}\n`;
  }
  if (format === "value") {
    return renderValues(values());
  }
  if (format === "csv") {
    return renderCsv(
      columns.map(({ title }) => title),
      values(),
    );
  }
  const objects = rows.map((row) => Object.fromEntries(columns.map(({ title, value }) => [title, value(row) ?? null])));
  return format === "json" ? renderJson(objects) : renderYaml(objects);
}

/**
 * Answers with one record. `--json` gives `document`; `-f` the fields; without either `human`, or the fields one a line when some are
 * chosen by `-c`.
 */
export async function answerRecord<Row>(
  session: Session,
  record: { row: Row; columns: readonly Column<Row>[]; document: unknown },
  options: RecordOptions,
  human: () => string | Promise<string>,
): Promise<void> {
  const { row, columns, document } = record;
  refuseMixedForms(session, options);
  const shown = chosenColumns(columns, { ...options, long: true });
  if (session.json) {
    session.stdout.write(renderJson(document));
  } else if (options.format === undefined && options.column === undefined) {
    session.stdout.write(await human());
  } else {
    session.stdout.write(await renderRecord(session, row, shown, options.format ?? "table"));
  }
}

async function renderRecord<Row>(
  session: Session,
  row: Row,
  columns: readonly Column<Row>[],
  format: Format,
): Promise<string> {
  if (format === "table") {
    return renderFields(
      session.stdout,
      columns.map((column) => {
        const cell = cellOf(column, row);
        return [column.title, typeof cell === "string" ? cell : cell.text] as const;
      }),
    );
  }
  if (format === "value") {
    return renderValues(columns.map(({ value }) => [value(row)]));
  }
  const object = Object.fromEntries(columns.map(({ title, value }) => [title, value(row) ?? null]));
  return format === "json" ? renderJson(object) : renderYaml(object);
}

function cellOf<Row>({ value, text, style }: Column<Row>, row: Row): string | { text: string; style: Style } {
  const shown = text === undefined ? plainText(value(row)) : text(row);
  return style === undefined ? shown : { text: shown, style: style(row) };
}

function plainText(value: unknown): string {
  return value === null || value === undefined || value === "" ? "-" : renderValues([[value]]).trimEnd();
}

function refuseMixedForms(session: Session, { format, column }: RecordOptions): void {
  if (session.json && (format !== undefined || column !== undefined)) {
    throw new UsageError("--json gives whole records and excludes -f and -c", "use -f json with -c for some columns");
  }
}

function chosenColumns<Row>(
  columns: readonly Column<Row>[],
  { column: asked, long = false }: ListOptions,
): readonly Column<Row>[] {
  if (asked === undefined) {
    return columns.filter(({ isLong = false }) => long || !isLong);
  }
  const titles = asked.map((title) => titled(columns, title).title);
  return columns.filter(({ title }) => titles.includes(title));
}

/** @throws UsageError that names the valid columns */
function titled<Row>(columns: readonly Column<Row>[], asked: string): Column<Row> {
  const found = columns.find(({ title }) => normalized(title) === normalized(asked));
  if (found === undefined) {
    throw new UsageError(
      `there is no column '${asked}'`,
      `the columns are ${columns.map(({ title }) => title).join(", ")}`,
    );
  }
  return found;
}

/** `created_at`, `Created-At` and `created at` are one. */
function normalized(title: string): string {
  return title
    .trim()
    .toLowerCase()
    .replaceAll(/[-_ ]+/g, " ");
}

type SortColumn<Row> = { value: (row: Row) => unknown; isDescending: boolean };

function sortColumns<Row>(columns: readonly Column<Row>[], keys: readonly SortKey[]): SortColumn<Row>[] {
  return keys.map(({ title, isDescending }) => ({ value: titled(columns, title).value, isDescending }));
}

function sortedBy<Row>(rows: readonly Row[], keys: readonly SortColumn<Row>[]): Row[] {
  const keyed = rows.map((row) => ({ row, values: keys.map(({ value }) => value(row)) }));
  const compare = (one: (typeof keyed)[number], other: (typeof keyed)[number]): number => {
    for (const [index, { isDescending }] of keys.entries()) {
      const order = compareValues(one.values[index], other.values[index]);
      if (order !== 0) {
        return isDescending ? -order : order;
      }
    }
    return 0;
  };
  return keyed.toSorted(compare).map(({ row }) => row);
}

/** Compares numbers by size and everything else as text; empty values come first. */
function compareValues(one: unknown, other: unknown): number {
  if (typeof one === "number" && typeof other === "number") {
    return one - other;
  }
  const [first, second] = [sortText(one), sortText(other)];
  return first < second ? -1 : first > second ? 1 : 0;
}

function sortText(value: unknown): string {
  return value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
}

/** Every item of a paged listing. @throws Error when a page names itself as the next one */
export async function allPages<Item>(
  page: (from: string | undefined) => Promise<{ items: Item[]; next?: string }>,
): Promise<Item[]> {
  const items: Item[] = [];
  let from: string | undefined;
  do {
    const { items: more, next } = await page(from);
    items.push(...more);
    if (next !== undefined && next === from) {
      throw new Error(`the page after ${next} names itself as the next one`);
    }
    from = next;
  } while (from !== undefined);
  return items;
}
