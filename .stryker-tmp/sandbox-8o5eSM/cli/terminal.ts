// @ts-nocheck
import { styleText } from "node:util";

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

/** An {@link Output} that writes to a stream of the process. */
export function outputOfStream(stream: NodeJS.WriteStream): Output {
  return {
    write: (text) => {
      stream.write(text);
    },
    // Undefined, whatever its type says, where the stream is no terminal.
    isTty: stream.isTTY,
    hasColours: stream.isTTY && stream.hasColors(),
    get columns() {
      return stream.columns ?? 80;
    },
    get rows() {
      return stream.rows ?? 24;
    },
    live: async () => {
      const { createLogUpdate } = await import("log-update");
      const area = createLogUpdate(stream);
      return {
        update: (text) => area(text),
        persist: (text) => area.persist(text),
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
