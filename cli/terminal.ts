import { styleText } from "node:util";
import { guarded } from "./safe-text.ts";

/** A text that is drawn again and again in the same place. */
export type LiveArea = {
  update(text: string): void;
  /** Puts lines above the area, to stay. */
  persist(text: string): void;
  /** Leaves the area as it is, or removes it. */
  end(keep: boolean): void;
};

/** One of the two streams of the command, as the commands see it. */
export type Output = {
  write(text: string): void;
  readonly isTty: boolean;
  readonly hasColours: boolean;
  readonly columns: number;
  readonly rows: number;
  /** Only for a terminal. */
  live(): Promise<LiveArea>;
};

/** Columns of an output that is not a terminal, unless COLUMNS says otherwise. */
const DEFAULT_COLUMNS = 80;

/**
 * Whether to write styles: `--no-color` forbids them, then FORCE_COLOR decides (`0` or `false` forbids them), then a NO_COLOR that is not
 * empty forbids them, then the terminal's own abilities decide.
 *
 * @see https://no-color.org
 */
export function wantsColours(
  stream: Pick<NodeJS.WriteStream, "isTTY"> & Partial<Pick<NodeJS.WriteStream, "hasColors">>,
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  const { FORCE_COLOR: forced, NO_COLOR: forbidden } = environment;
  const end = argv.indexOf("--");
  if ((end === -1 ? argv : argv.slice(0, end)).includes("--no-color")) {
    return false;
  }
  if (forced !== undefined) {
    return forced !== "0" && forced !== "false";
  }
  return (forbidden ?? "") === "" && stream.isTTY && stream.hasColors?.() === true;
}

/**
 * An {@link Output} that writes to a stream of the process, and removes characters that a terminal would interpret, except its own styles.
 */
export function outputOfStream(
  stream: NodeJS.WriteStream,
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Output {
  const columns = Number(environment["COLUMNS"]);
  const otherwise = Number.isSafeInteger(columns) && columns > 0 ? columns : DEFAULT_COLUMNS;
  return {
    write: (text) => {
      stream.write(guarded(text));
    },
    // Undefined, despite its type, if the stream is not a terminal.
    isTty: stream.isTTY,
    hasColours: wantsColours(stream, argv, environment),
    get columns() {
      return stream.columns ?? otherwise;
    },
    get rows() {
      return stream.rows ?? 24;
    },
    live: async () => {
      const { createLogUpdate } = await import("log-update");
      const area = createLogUpdate(stream);
      return {
        update: (text) => area(guarded(text)),
        persist: (text) => area.persist(guarded(text)),
        end: (keep) => {
          if (!keep) {
            area.clear();
          }
          area.done();
        },
      };
    },
  };
}

/** Names of the styles that the commands use. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** The text in a style, where the output shows styles. */
export function paint(output: Pick<Output, "hasColours">, style: Style, text: string): string {
  return output.hasColours ? styleText(style, text, { validateStream: false }) : text;
}

/** The style of a status: at work, done, failed. */
export function styleOfStatus(status: string): Style {
  if (status.startsWith("error") || status === "down" || status === "disabled") {
    return "red";
  }
  if (
    status === "available" ||
    status === "in-use" ||
    status === "up" ||
    status === "active" ||
    status === "migration_target"
  ) {
    return "green";
  }
  return "yellow";
}
