import { styleText } from "node:util";

/** A terminal, or any other standard output. */
export type Screen = {
  write(text: string): void;
  readonly isTty: boolean;
  /** At most {@link MAX_COLUMNS}. */
  readonly columns: number;
  /** The text in a style, if the stream shows styles; NO_COLOR and FORCE_COLOR are respected. */
  paint(style: Style, text: string): string;
};

/** The used styles. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Greatest width of a line, on terminals of any width. */
export const MAX_COLUMNS = 100;

/** Creates a screen for a stream of the process. */
export function screenOf(stream: NodeJS.WriteStream): Screen {
  return {
    write: (text) => void stream.write(text),
    // Undefined, despite its type, if the stream is not a terminal.
    isTty: stream.isTTY,
    get columns() {
      return Math.min(stream.columns ?? MAX_COLUMNS, MAX_COLUMNS);
    },
    paint: (style, text) => styleText(style, text, { stream }),
  };
}

/** Foreign text in one line, without characters that a terminal would interpret. */
export function oneLine(text: string): string {
  return text
    .replaceAll(/\s*[\r\n]+\s*/g, " ")
    .replaceAll(/\p{Cc}/gu, "\uFFFD")
    .trim();
}

/** An error in one line for people. */
export function explain(error: unknown): string {
  return oneLine(error instanceof Error ? error.message || error.name : String(error));
}

/** Seconds with one digit. */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB"] as const;

/** Bytes with a unit: `5.1 MiB`. */
export function formatBytes(bytes: number): string {
  let amount = bytes;
  let unit = 0;
  while (amount >= 1024 && unit < BYTE_UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${Number.isInteger(amount) ? amount : amount.toFixed(1)} ${BYTE_UNITS[unit] ?? "B"}`;
}
