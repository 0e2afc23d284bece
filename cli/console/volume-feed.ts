import type { Clock, Found, VolumeRepository } from "../../core/ports.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { isInFlow } from "../../core/volume-lifecycle.ts";
import type { Executions } from "../connection.ts";
import { explainError } from "../errors.ts";
import {
  compare,
  copyOf,
  countsOf,
  createdPerMinute,
  createSecondsPerMinute,
  matchingRows,
  rowOf,
  sortedRows,
  type TimedRow,
  type VolumesQuery,
} from "./volume-rows.ts";
import { type Create, type Failure, MOST_CREATES, ROWS_ON_PAGE, type VolumeRow, type VolumesAnswer } from "./wire.ts";

type Volumes = Pick<VolumeRepository, "list" | "listOverdue" | "getMany">;

/** Sources of the feed. */
export type FeedSources = { volumes(): Promise<Volumes>; executions(): Promise<Pick<Executions, "newest">> };

/** The stored row of a volume. */
type Entry = TimedRow & {
  isInFlow: boolean;
  progress: VolumeRecord["progress"];
  text: string;
  updatedAt: string;
  scan: number;
};

/** Records that one request of a scan asks for. */
const PAGE_SIZE = 1000;

/** Greatest age of the data. */
const FRESH_MILLISECONDS = 900;

/** All volumes are read again after so long, and no sooner than after so many times what it took. */
const RESCAN_MILLISECONDS = 1800;
const RESCAN_FACTOR = 50;

/** Figures of the last minutes change with the clock, and a copy's speed expires. */
const ANSWER_MILLISECONDS = 10_000;

/** The far end of the index of volumes that have a deadline. */
const END_OF_TIME = new Date("9999-01-01T00:00:00.000Z");

/**
 * All volumes in memory, kept up to date while they are requested. Each reading gets, by their ids, the volumes with a deadline (the index
 * has them), those whose execution has just started, and those that a page shows. A scan reads all others, again and again, with pauses
 * that are long compared to it: every two seconds where a thousand volumes fit into one request, and a fiftieth of the time where there are
 * many. A failure keeps what was read before.
 */
export class VolumeFeed {
  readonly #sources: FeedSources;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  /** Volumes that had a deadline when they were last looked for. */
  #active = new Set<string>();
  /** Volumes of the answers since the last reading. */
  #shown = new Set<string>();
  /** The newest executions of the last reading; undefined before the first. */
  #executions: ReadonlySet<string> | undefined;
  /** Removed since the scan under way began; one of its pages may be older. */
  #gone = new Set<string>();
  #version = 0;
  #scan = 0;
  #scanned = { complete: false, unreadable: 0, nextAt: 0 };
  #scanning: Promise<void> | undefined;
  #refreshing: Promise<void> | undefined;
  #refreshedAt = 0;
  #failure: Failure | null = null;
  #readAt: string | null = null;
  #answered: { key: string; answer: VolumesAnswer } | undefined;

  constructor(sources: FeedSources, clock: Clock) {
    this.#sources = sources;
    this.#clock = clock;
  }

  /** Changes with every change of the volumes. */
  get version(): number {
    return this.#version;
  }

  /** Changes with every change of {@link answer}. */
  get tag(): string {
    return `${this.#version}-${Math.floor(this.#clock.now().getTime() / ANSWER_MILLISECONDS)}`;
  }

  /** Reads what may have changed, unless that was done less than a second ago. Never throws: the answer has the failure. */
  async refresh(): Promise<void> {
    if (this.#clock.now().getTime() - this.#refreshedAt >= FRESH_MILLISECONDS) {
      this.#refreshing ??= this.#read().finally(() => (this.#refreshing = undefined));
    }
    await this.#refreshing;
  }

  /** The next {@link refresh} reads all volumes: this console has just changed something. */
  expire(): void {
    this.#refreshedAt = 0;
    this.#scanned.nextAt = 0;
  }

  /** The present state. Computed once for each {@link tag} and query. */
  answer(query: VolumesQuery): VolumesAnswer {
    const key = `${this.tag} ${JSON.stringify(query)}`;
    if (this.#answered?.key !== key) {
      this.#answered = { key, answer: this.#compute(query) };
    }
    const { answer } = this.#answered;
    for (const { id } of answer.rows) {
      this.#shown.add(id);
    }
    return answer;
  }

  /** How many volumes each host holds, as far as volumes were read. */
  countsByHost(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { row } of this.#entries.values()) {
      if (row.host !== null) {
        counts.set(row.host, (counts.get(row.host) ?? 0) + 1);
      }
    }
    return counts;
  }

  /** The volumes that were asked for last, the newest first. */
  newest(count: number): VolumeRow[] {
    const rows = [...this.#entries.values()].map(({ row }) => row);
    return rows.toSorted((one, other) => compare(other.created_at, one.created_at)).slice(0, count);
  }

  #compute(query: VolumesQuery): VolumesAnswer {
    const now = this.#clock.now();
    const entries = [...this.#entries.values()];
    const rows = entries.map(({ row }) => row);
    const matching = matchingRows(rows, query);
    const creates = entries
      .filter((entry) => entry.isInFlow)
      .toSorted((one, other) => compare(one.row.created_at, other.row.created_at));
    const first = (query.page - 1) * ROWS_ON_PAGE;
    return {
      rows: sortedRows(matching, query).slice(first, first + ROWS_ON_PAGE),
      matching: matching.length,
      total: entries.length,
      counts: countsOf(rows),
      creates: creates.slice(0, MOST_CREATES).map((entry): Create => ({ ...entry.row, copy: copyOf(entry, now) })),
      creates_total: creates.length,
      created_per_minute: createdPerMinute(entries, now),
      create_seconds_per_minute: createSecondsPerMinute(entries, now),
      unreadable: this.#scanned.unreadable,
      complete: this.#scanned.complete,
      failure: this.#failure,
      read_at: this.#readAt,
    };
  }

  async #read(): Promise<void> {
    let failure: unknown;
    // Without the executions the volumes are still read, later where they are many.
    const started = this.#newlyStarted().catch((error: unknown) => {
      failure = error;
      return [];
    });
    try {
      const volumes = await this.#sources.volumes();
      const isScanDue = this.#isScanDue();
      await this.#readChanged(volumes, await started, isScanDue ? [] : [...this.#shown]);
      if (isScanDue) {
        await this.#beginScan(volumes);
      }
      this.#readAt = this.#clock.now().toISOString();
    } catch (error) {
      failure = error;
    }
    this.#shown.clear();
    this.#fail(failure);
    this.#refreshedAt = this.#clock.now().getTime();
  }

  #fail(error: unknown): void {
    const { name, message, hint } = explainError(error);
    const failure = error === undefined ? null : { name, message, hint };
    if (JSON.stringify(failure) !== JSON.stringify(this.#failure)) {
      this.#failure = failure;
      this.#version += 1;
    }
  }

  /**
   * Volumes whose execution was not among the newest of the last reading. A create may start and end between two readings. One listing has
   * 100 executions; the scan finds the volumes of the others.
   */
  async #newlyStarted(): Promise<string[]> {
    const newest = await (await this.#sources.executions()).newest();
    const known = this.#executions;
    this.#executions = new Set(newest);
    // The first scan begins after the first listing, and finds all of these.
    return known === undefined
      ? []
      : newest.filter((name) => !known.has(name)).map((name) => name.replace(/-a\d+$/, ""));
  }

  /** Those that were active before are read once more, for what became of them. */
  async #readChanged(volumes: Volumes, started: readonly string[], shown: readonly string[]): Promise<void> {
    const active = new Set<string>();
    let from: string | undefined;
    do {
      const page = await volumes.listOverdue(END_OF_TIME, PAGE_SIZE, from);
      for (const { id } of page.items) {
        active.add(id);
      }
      from = page.next;
    } while (from !== undefined);
    const asked = [...new Set([...active, ...this.#active, ...started, ...shown])];
    const found: Found<VolumeRecord> = asked.length === 0 ? new Map() : await volumes.getMany(asked);
    const unreadable = new Set(found.unreadable?.map(({ id }) => id));
    for (const id of asked) {
      const volume = found.get(id);
      if (volume !== undefined) {
        this.#keep(volume);
      } else if (!unreadable.has(id)) {
        this.#remove(id);
      }
    }
    this.#active = active;
  }

  #isScanDue(): boolean {
    return this.#scanning === undefined && this.#clock.now().getTime() >= this.#scanned.nextAt;
  }

  /** Waits for the first page; later ones are read while the answers go out. */
  async #beginScan(volumes: Volumes): Promise<void> {
    const first = Promise.withResolvers<void>();
    this.#scanning = this.#scanAll(volumes, first.resolve).finally(() => (this.#scanning = undefined));
    // Its failure is that of this reading, or, when a page was read before, of a later one.
    this.#scanning.catch(() => {});
    await Promise.race([first.promise, this.#scanning]);
  }

  async #scanAll(volumes: Volumes, onPage: () => void): Promise<void> {
    const began = this.#clock.now().getTime();
    this.#scan += 1;
    this.#gone.clear();
    let unreadable = 0;
    let from: string | undefined;
    do {
      const page = await volumes.list({}, PAGE_SIZE, from);
      for (const volume of page.items) {
        if (!this.#gone.has(volume.id)) {
          this.#keep(volume);
        }
      }
      unreadable += page.unreadable?.length ?? 0;
      from = page.next;
      onPage();
    } while (from !== undefined);
    for (const [id, { scan }] of this.#entries) {
      if (scan < this.#scan) {
        this.#remove(id);
      }
    }
    if (!this.#scanned.complete || this.#scanned.unreadable !== unreadable) {
      this.#version += 1;
    }
    const ended = this.#clock.now().getTime();
    const nextAt = ended + Math.max(RESCAN_MILLISECONDS, RESCAN_FACTOR * (ended - began));
    this.#scanned = { complete: true, unreadable, nextAt };
  }

  /** A reading that is older than what is known changes nothing, but says that the volume is there. */
  #keep(volume: VolumeRecord): void {
    const known = this.#entries.get(volume.id);
    if (known !== undefined && known.updatedAt > volume.updated_at) {
      known.scan = this.#scan;
      return;
    }
    const row = rowOf(volume);
    const text = JSON.stringify([row, volume.progress?.bytes_done]);
    const { progress, updated_at: updatedAt, launched_at: launchedAt } = volume;
    this.#entries.set(volume.id, {
      row,
      isInFlow: isInFlow(volume),
      launchedAt,
      progress,
      text,
      updatedAt,
      scan: this.#scan,
    });
    if (known?.text !== text) {
      this.#version += 1;
    }
  }

  #remove(id: string): void {
    this.#gone.add(id);
    if (this.#entries.delete(id)) {
      this.#version += 1;
    }
  }
}
