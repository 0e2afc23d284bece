/** Measures the rate of work whose progress is told now and then. */
// @ts-nocheck

export type RateMeter = {
  /**
   * Takes how far the work is at a time, in milliseconds; bytes a second over the last of what was told, or undefined while there
   * is nothing to tell it by.
   */
  read(bytesDone: number, at: number): number | undefined;
};

const WINDOW_MILLISECONDS = 10_000;

/**
 * A meter over the last seconds, or over the last two figures where they are further apart. The same figure told again at the same
 * time changes nothing; fewer bytes than before say that the work began anew, as a copy does of another image.
 */
export function createRateMeter(windowMilliseconds = WINDOW_MILLISECONDS): RateMeter {
  let samples: { at: number; bytes: number }[] = [];
  return {
    read(bytesDone, at) {
      const last = samples.at(-1);
      if (last !== undefined && bytesDone < last.bytes) {
        samples = [];
      }
      if (last === undefined || at > last.at || samples.length === 0) {
        samples.push({ at, bytes: bytesDone });
      }
      // One sample older than the window stays, so that the rate always spans the whole of it.
      while (samples.length > 2 && (samples[1]?.at ?? at) <= at - windowMilliseconds) {
        samples.shift();
      }
      return rateOf(samples);
    },
  };
}

function rateOf(samples: readonly { at: number; bytes: number }[]): number | undefined {
  const [first, last] = [samples[0], samples.at(-1)];
  const milliseconds = (last?.at ?? 0) - (first?.at ?? 0);
  return first === undefined || last === undefined || milliseconds <= 0
    ? undefined
    : ((last.bytes - first.bytes) * 1000) / milliseconds;
}
