import type { FileBytes } from "../../core/images/qcow2/tables.ts";
import { RESERVED_MS } from "./copy-file.ts";
import type { WorkArea } from "./work-area.ts";

/** Interval at which a turn that waits for its image service checks the clock and the holder. */
const LOOK_EVERY_MS = 1000;

/** A turn that has made no step yet tries until only this time is left: the next turn would get no further. */
const LAST_MOMENT_MS = 800;

/** Why a turn ends before its image does. */
export class TurnEnded extends Error {
  override readonly name = "TurnEnded";
  readonly why: "late" | "taken over";

  constructor(why: "late" | "taken over") {
    super(why === "late" ? "the turn's time is over" : "another call has taken over the work");
    this.why = why;
  }
}

/**
 * Ends a turn on time, and when another call has taken over, whatever it is doing: loops call {@link look}, reads go through
 * {@link reads}, and a request that waits for the image service is aborted by a timer.
 *
 * A turn is late when less than {@link RESERVED_MS} is left, but each turn makes a step, as long as there is any time at all.
 */
export class TurnWatch {
  readonly #area: Pick<WorkArea, "isMine">;
  readonly #remainingTimeMs: () => number;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  /** Whether this turn has placed bytes that none before it has. */
  hasStepped = false;

  constructor(area: Pick<WorkArea, "isMine">, remainingTimeMs: () => number) {
    this.#area = area;
    this.#remainingTimeMs = remainingTimeMs;
  }

  /** Aborted with TurnEnded while the turn waits, and by {@link stop}. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The reason why the turn has to end; undefined while it may continue. */
  get ended(): TurnEnded | undefined {
    const { reason } = this.#abort.signal as { reason: unknown };
    return reason instanceof TurnEnded ? reason : undefined;
  }

  /** Checks clock and holder from now on, until {@link stop}. */
  start(): void {
    this.#timer = setInterval(() => {
      this.look().catch((error: unknown) => {
        if (!(error instanceof TurnEnded)) {
          this.#abort.abort(error);
        }
      });
    }, LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** Aborts what is still being read. */
  stop(): void {
    clearInterval(this.#timer);
    this.#abort.abort();
  }

  /** Whether the work is still this call's. */
  isMine(): Promise<boolean> {
    return this.#area.isMine();
  }

  /** @throws TurnEnded when the turn has to end */
  async look(): Promise<void> {
    if (this.#remainingTimeMs() < (this.hasStepped ? RESERVED_MS : LAST_MOMENT_MS)) {
      this.#end("late");
    }
    if (!(await this.isMine())) {
      this.#end("taken over");
    }
  }

  /** The reads, each after a check. */
  reads(bytes: FileBytes): FileBytes {
    return {
      readAt: async (offset, length) => {
        await this.look();
        return bytes.readAt(offset, length);
      },
    };
  }

  #end(why: TurnEnded["why"]): never {
    const ended = new TurnEnded(why);
    this.#abort.abort(ended);
    throw ended;
  }
}
