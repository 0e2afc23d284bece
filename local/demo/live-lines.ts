import { attemptOf, type VolumeRecord } from "../../core/records.ts";
import type { Screen, Style } from "../screen.ts";
import type { Wish } from "./wishes.ts";

/** Shows the volumes while they are created: a terminal shows one line for each; other outputs get a line at each change. */
export type LiveLines = {
  show(records: ReadonlyMap<string, VolumeRecord>): void;
  /** Leaves the lines in place. */
  end(): void;
};

/** Opens the display; on a terminal every volume has its line from the start. */
export async function openLiveLines(
  screen: Screen,
  stream: NodeJS.WriteStream,
  wishes: readonly Wish[],
): Promise<LiveLines> {
  const line = (wish: Wish, records: ReadonlyMap<string, VolumeRecord>) =>
    volumeLine(screen, wish, records.get(wish.id));
  if (!screen.isTty) {
    return plainLines(screen, wishes, line);
  }
  const { createLogUpdate } = await import("log-update");
  const draw = createLogUpdate(stream);
  const show = (records: ReadonlyMap<string, VolumeRecord>): void =>
    draw(wishes.map((wish) => line(wish, records)).join("\n"));
  show(new Map());
  return { show, end: () => draw.done() };
}

function plainLines(
  screen: Screen,
  wishes: readonly Wish[],
  line: (wish: Wish, records: ReadonlyMap<string, VolumeRecord>) => string,
): LiveLines {
  const written = new Map<string, string>();
  return {
    show: (records) => {
      for (const wish of wishes.filter(({ id }) => records.has(id))) {
        const text = line(wish, records);
        if (written.get(wish.id) !== text) {
          written.set(wish.id, text);
          screen.write(`${text}\n`);
        }
      }
    },
    end: () => {},
  };
}

/** Name, state, attempt, percent, host, and the volume's description if the terminal is wide enough. */
function volumeLine(screen: Screen, wish: Wish, record: VolumeRecord | undefined): string {
  const look = lookOf(record);
  const attempt = record === undefined ? 0 : attemptOf(record);
  const columns = [
    wish.name.padEnd(13),
    screen.paint(look.style, look.state.padEnd(20)),
    (attempt === 0 ? "" : `attempt ${attempt}`).padEnd(9),
    percentOf(record).padStart(5),
    (record?.host ?? "").padEnd(18),
  ];
  const room = screen.columns - (4 + 13 + 20 + 9 + 5 + 18 + 2 * columns.length);
  const about = wish.about.length <= room ? wish.about : "";
  return `  ${screen.paint(look.style, look.mark)} ${columns.join("  ")}  ${screen.paint("dim", about)}`.trimEnd();
}

function lookOf(record: VolumeRecord | undefined): { mark: string; style: Style; state: string } {
  if (record === undefined) {
    return { mark: "○", style: "dim", state: "not asked for yet" };
  }
  const { status, phase } = record;
  if (status === "available") {
    return { mark: "●", style: "green", state: status };
  }
  if (status === "error") {
    return { mark: "●", style: "red", state: status };
  }
  const detail = phase === null || phase === status ? "" : `, ${phase}`;
  return { mark: "◐", style: "yellow", state: `${status}${detail}` };
}

/** Share of the image that is copied; a volume that is created in one step has only 0 and 100. */
function percentOf(record: VolumeRecord | undefined): string {
  if (record === undefined || record.status === "error") {
    return "";
  }
  if (record.status === "available") {
    return "100 %";
  }
  const { bytes_done: done, bytes_total: total } = record.progress ?? { bytes_done: 0, bytes_total: 1 };
  return `${Math.floor((total <= 0 ? 1 : done / total) * 100)} %`;
}
