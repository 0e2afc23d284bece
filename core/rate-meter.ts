/** Measures the rate of work that reports its progress from time to time. */
export type RateMeter = {
  /**
   * Takes the progress at a time in milliseconds. Returns bytes a second over the last reports, or undefined without enough reports.
   */
  read(bytesDone: number, at: number): number | undefined;
};

const WINDOW_MILLISECONDS = 10_000;

/**
 * A meter over the last seconds, or over the last two figures where they are further apart. A repeated figure at the same time changes
 * nothing; fewer bytes than before mean that the work began again, like a copy of another image.
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
