import { attemptOf } from "../core/records.ts";
import { isInFlow } from "../core/volume-lifecycle.ts";
import type { VolumeRecord } from "../core/records.ts";
import type { VolumeRepository } from "../core/ports.ts";
import { percentOf, readingOf, renderVolumeLine } from "./progress.ts";
import type { CliContext } from "./session.ts";
import type { LiveArea, Output } from "./terminal.ts";

/** Follows volumes until they come to rest; shared by `create --wait` and `watch`. */

const FIRST_PAUSE_MILLISECONDS = 100;
const LONGEST_PAUSE_MILLISECONDS = 1000;
const PAUSE_GROWTH = 1.25;

/** Whether the volume is still in progress. */
export function isAtWork(volume: VolumeRecord): boolean {
  return isInFlow(volume) || volume.status === "deleting" || volume.status === "extending";
}

/** Shows volumes while they change. */
export type Display = {
  show(volumes: readonly VolumeRecord[]): Promise<void>;
  end(): void;
};

/**
 * A display that redraws on a terminal, or writes a line at each change elsewhere.
 *
 * @param options.alone Whether there is only one volume: see {@link renderVolumeLine}.
 * @param options.idleText The text that a terminal shows while no volume is in progress.
 */
export function createDisplay(
  output: Output,
  clock: CliContext["clock"],
  options: { alone?: boolean; idleText?: string } = {},
): Display {
  const line = (volume: VolumeRecord) =>
    renderVolumeLine(output, volume, readingOf(volume, clock.now()), options.alone);
  return output.isTty ? createLiveDisplay(output, line, options.idleText ?? "") : createPlainDisplay(output, line);
}

/** An empty display, for answers that are one document. */
export const NO_DISPLAY: Display = { show: async () => {}, end: () => {} };

function createLiveDisplay(output: Output, line: (volume: VolumeRecord) => string, idleText: string): Display {
  let area: LiveArea | undefined;
  const finished = new Set<string>();
  return {
    async show(volumes) {
      area ??= await output.live();
      for (const volume of volumes.filter((one) => !isAtWork(one) && !finished.has(one.id))) {
        finished.add(volume.id);
        area.persist(line(volume));
      }
      const atWork = volumes.filter(isAtWork);
      const room = Math.max(1, output.rows - 2);
      const lines = atWork.length === 0 ? [idleText] : atWork.slice(0, room).map(line);
      area.update([...lines, ...(atWork.length > room ? [`... and ${atWork.length - room} more`] : [])].join("\n"));
    },
    end() {
      area?.end(false);
    },
  };
}

/** A line when the state, the attempt or the host changes, and at every tenth of the bytes. */
function createPlainDisplay(output: Output, line: (volume: VolumeRecord) => string): Display {
  const last = new Map<string, string>();
  return {
    async show(volumes) {
      for (const volume of volumes) {
        const shown = line(volume);
        const key = changeKeyOf(volume);
        if (last.get(volume.id) !== key) {
          last.set(volume.id, key);
          output.write(`${shown}\n`);
        }
      }
    },
    end() {},
  };
}

function changeKeyOf(volume: VolumeRecord): string {
  const { progress } = volume;
  const tenth =
    progress === null || progress.bytes_total <= 0
      ? ""
      : Math.floor(percentOf(progress.bytes_done / progress.bytes_total) / 10);
  return [volume.status, volume.phase, attemptOf(volume), volume.host, tenth].join("|");
}

/** The result of following: the records read last, and whether Ctrl-C stopped it. */
export type Followed = { volumes: ReadonlyMap<string, VolumeRecord>; interrupted: boolean };

/**
 * Reads the volumes repeatedly until `isOver` returns true or the signal aborts. The pauses grow, and start again at each change of a
 * status.
 *
 * @param idsOf Returns the volumes to read, given those read last.
 * @param isOver Whether the volumes just read end the following.
 */
export async function follow(
  context: Pick<CliContext, "sleep">,
  volumes: Pick<VolumeRepository, "getMany">,
  display: Display,
  signal: AbortSignal,
  idsOf: (last: ReadonlyMap<string, VolumeRecord>) => Promise<readonly string[]>,
  isOver: (now: ReadonlyMap<string, VolumeRecord>) => boolean,
): Promise<Followed> {
  let last: ReadonlyMap<string, VolumeRecord> = new Map();
  let pause = FIRST_PAUSE_MILLISECONDS;
  try {
    while (!signal.aborted) {
      const ids = await idsOf(last);
      const read = ids.length === 0 ? new Map<string, VolumeRecord>() : await volumes.getMany(ids);
      const now = new Map(ids.flatMap((id) => pairOf(id, read)));
      pause = haveChanged(last, now)
        ? FIRST_PAUSE_MILLISECONDS
        : Math.min(LONGEST_PAUSE_MILLISECONDS, pause * PAUSE_GROWTH);
      last = now;
      await display.show([...now.values()]);
      if (isOver(now)) {
        return { volumes: now, interrupted: false };
      }
      await context.sleep(pause, signal);
    }
    return { volumes: last, interrupted: true };
  } finally {
    display.end();
  }
}

function pairOf(id: string, read: ReadonlyMap<string, VolumeRecord>): [string, VolumeRecord][] {
  const volume = read.get(id);
  return volume === undefined ? [] : [[id, volume]];
}

function haveChanged(last: ReadonlyMap<string, VolumeRecord>, now: ReadonlyMap<string, VolumeRecord>): boolean {
  return last.size !== now.size || [...now].some(([id, volume]) => last.get(id)?.status !== volume.status);
}
