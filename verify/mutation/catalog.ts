/**
 * Deliberate bugs of the product, by the promise that they break (docs/guarantees.md). Each is one replacement in one file, of the
 * kind that a hurried change makes: a condition dropped, an order turned round, a net that looks away.
 */

/** One deliberate bug. */
export type Bug = {
  id: string;
  /** Number of the promise in docs/guarantees.md. */
  promise: number;
  /** What the bug does, as a sentence. */
  title: string;
  file: string;
  /** Occurs exactly once in the file. */
  find: string;
  replace: string;
  /** A cell of the fault matrix that catches the bug, as `npm run faults -- --only` takes it. */
  cell: string;
};

/** At least three bugs for each promise. */
export const CATALOG: readonly Bug[] = [
  {
    id: "no-release-on-reschedule",
    promise: 4,
    title: "RescheduleVolume hands the record over and keeps the claim of the failed attempt",
    file: "core/tasks/reschedule-volume.ts",
    find: "  await deps.backends.release(input.host, owner);\n",
    replace: "",
    cell: "rescheduled/RescheduleVolume#1/volumes.get#1/unknown error",
  },
];
