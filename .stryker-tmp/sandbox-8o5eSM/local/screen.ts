// @ts-nocheck
import { styleText } from "node:util";

/** A terminal, or whatever standard output is. */
export type Screen = {
  write(text: string): void;
  readonly isTty: boolean;
  /** At most {@link MAX_COLUMNS}. */
  readonly columns: number;
  /** The text in a style, where the stream shows styles; NO_COLOR and FORCE_COLOR are respected. */
  paint(style: Style, text: string): string;
};

/** The styles that are used. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Lines are no longer, however wide the terminal is. */
export const MAX_COLUMNS = 100;

/** Made of a stream of the process. */
export function screenOf(stream: NodeJS.WriteStream): Screen {
  return {
    write: (text) => void stream.write(text),
    // Undefined, whatever its type says, where the stream is no terminal.
    isTty: stream.isTTY,
    get columns() {
      return Math.min(stream.columns ?? MAX_COLUMNS, MAX_COLUMNS);
    },
    paint: (style, text) => styleText(style, text, { stream }),
  };
}

/** Text from elsewhere in one line, without anything that a terminal would act on. */
export function oneLine(text: string): string {
  return text
    .replaceAll(/\s*[\r\n]+\s*/g, " ")
    .replaceAll(/\p{Cc}/gu, "\uFFFD")
    .trim();
}

/** What went wrong in one line for people. */
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
