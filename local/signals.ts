/** Signals that ask a process to end, with the exit status for each (128 and its number). */
const EXIT_STATUSES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** A signal of {@link EXIT_STATUSES}. */
export type EndingSignal = keyof typeof EXIT_STATUSES;

/** The reason of an abort: the user ended the process. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly signal: EndingSignal;
  readonly exitStatus: number;
  constructor(signal: EndingSignal) {
    super(`interrupted by ${signal}`);
    this.signal = signal;
    this.exitStatus = EXIT_STATUSES[signal];
  }
}

/** Ctrl-C reaches a command that npm runs twice: from the terminal, and from npm, which passes it on. */
const SAME_SIGNAL_MILLISECONDS = 500;

/**
 * Aborts when the process is asked to end, and says so, because running work may take a moment to stop. Asked again, it ends at once.
 *
 * @param atOnce the last action before an immediate end; it must not wait
 */
export function interruption(atOnce: () => void = () => {}): AbortController {
  const controller = new AbortController();
  let askedAt: number | undefined;
  for (const signal of Object.keys(EXIT_STATUSES) as EndingSignal[]) {
    process.on(signal, () => {
      const now = performance.now();
      if (askedAt !== undefined && now - askedAt > SAME_SIGNAL_MILLISECONDS) {
        atOnce();
        process.exit(EXIT_STATUSES[signal]);
      }
      if (askedAt === undefined) {
        process.stderr.write("\n  stopping ...\n");
      }
      askedAt ??= now;
      controller.abort(new Interrupted(signal));
    });
  }
  return controller;
}

/** Time for the rest of the process to end by itself. */
const LEFTOVERS_MILLISECONDS = 500;

/** Lets the process end by itself, with this status; a leftover timer or socket does not delay it for long. */
export function endProcess(exitStatus: number): void {
  process.exitCode = exitStatus;
  setTimeout(() => process.exit(), LEFTOVERS_MILLISECONDS).unref();
}
