import { backendHost } from "../backends/backends.ts";
import type { LimitedDrivers } from "../backends/limited-drivers.ts";
import { sweepEach, type SweepTurn } from "./sweep-turn.ts";

/** How many calls to one backend are under way at once, when its first one was answered. */
const AT_ONCE_PER_BACKEND = 4;

/** Most work that one sweep keeps in mind for one backend; the next sweep finds the rest. */
const MOST_PER_BACKEND = 2_000;

/** Something that a sweep does with the help of a backend. */
type Work = { volumeId: string; run: () => Promise<void> };

/** A backend that gave no answer, and how many volumes the sweep left alone because of it. */
export type SilentBackend = { host: string; left: number };

/**
 * The part of a sweep that asks backends. It waits until all work that asks none is done, and then each backend has a lane of its own, so
 * that a backend that is slow or hangs delays nothing but its own work.
 */
export class BackendWork {
  readonly #lanes = new Map<string, Work[]>();

  /** Puts work off. @param host with its pool or without */
  add(host: string, volumeId: string, run: () => Promise<void>): void {
    const backend = backendHost(host);
    const lane = this.#lanes.get(backend) ?? [];
    this.#lanes.set(backend, lane);
    if (lane.length < MOST_PER_BACKEND) {
      lane.push({ volumeId, run });
    }
  }

  /**
   * Does the deferred work, all backends concurrently. The first call to a backend runs alone, so a hanging backend costs one call. A
   * backend that does not answer is left alone from then on.
   *
   * @returns the backends that gave no answer
   */
  async run(turn: SweepTurn, drivers: Pick<LimitedDrivers, "isSilent">): Promise<SilentBackend[]> {
    const lanes = [...this.#lanes];
    await Promise.all(
      lanes.map(([host, lane]) => runLane(lane, { ...turn, hasTime: () => turn.hasTime() && !drivers.isSilent(host) })),
    );
    return lanes.filter(([host]) => drivers.isSilent(host)).map(([host, lane]) => ({ host, left: lane.length }));
  }
}

/** Removes the work from the lane as it begins. */
async function runLane(lane: Work[], turn: SweepTurn): Promise<void> {
  const idOf = ({ volumeId }: Work): string => volumeId;
  const take = function* (): Generator<Work> {
    for (let next = lane.shift(); next !== undefined; next = lane.shift()) {
      yield next;
    }
  };
  await sweepEach(turn, lane.splice(0, 1), idOf, ({ run }) => run());
  if (turn.hasTime()) {
    await sweepEach(turn, take(), idOf, ({ run }) => run(), AT_ONCE_PER_BACKEND);
  }
}
