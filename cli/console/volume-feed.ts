import type { Clock, Found, VolumeRepository } from "../../core/ports.ts";
import { attemptOf, isInFlow, type VolumeRecord } from "../../core/records.ts";
import { explainError } from "../errors.ts";
import { readingOf } from "../progress.ts";
import {
  type CopyReading,
  type Create,
  type Failure,
  MINUTES_SHOWN,
  MOST_CREATES,
  ROWS_ON_PAGE,
  type SortKey,
  type VolumeRow,
  type VolumesAnswer,
} from "./wire.ts";

/** Query of the list. */
export type VolumesQuery = {
  /** In name, id, project, status or host, ignoring case. */
  search: string;
  status: string | null;
  sort: SortKey;
  isDescending: boolean;
  /** From 1. */
  page: number;
};

type Volumes = Pick<VolumeRepository, "list" | "listOverdue" | "getMany">;

/** The stored row of a volume. */
type Entry = {
  row: VolumeRow;
  launchedAt: string | null;
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
const RESCAN_FACTOR = 20;

/** The far end of the index of volumes that have a deadline. */
const END_OF_TIME = new Date("9999-01-01T00:00:00.000Z");

/**
 * All volumes in memory, kept up to date while they are requested. Volumes with a deadline are in progress: the index finds them, and they
 * are read each second. All others are read by a scan, again and again, with pauses that are long compared to it: one request each two
 * seconds where a thousand volumes fit into one, and a twentieth of the time where there are many. A failure keeps what was read before.
 */
export class VolumeFeed {
  readonly #open: () => Promise<Volumes>;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  /** Volumes that had a deadline when they were last looked for. */
  #active = new Set<string>();
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

  constructor(open: () => Promise<Volumes>, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
  }

  /** Changes with every change of {@link answer}. */
  get version(): number {
    return this.#version;
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

  /** The present state. */
  answer(query: VolumesQuery): VolumesAnswer {
    const now = this.#clock.now();
    const entries = [...this.#entries.values()];
    const matching = entries.map(({ row }) => row).filter(matcherOf(query));
    const creates = entries
      .filter((entry) => entry.isInFlow)
      .toSorted((one, other) => compareText(one.row.created_at, other.row.created_at));
    const first = (query.page - 1) * ROWS_ON_PAGE;
    return {
      rows: sorted(matching, query).slice(first, first + ROWS_ON_PAGE),
      matching: matching.length,
      total: entries.length,
      counts: countsOf(entries),
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
    return rows.toSorted((one, other) => compareText(other.created_at, one.created_at)).slice(0, count);
  }

  async #read(): Promise<void> {
    try {
      const volumes = await this.#open();
      await this.#readActive(volumes);
      await this.#scanWhenDue(volumes);
      this.#readAt = this.#clock.now().toISOString();
      this.#fail(null);
    } catch (error) {
      const { name, message, hint } = explainError(error);
      this.#fail({ name, message, hint });
    } finally {
      this.#refreshedAt = this.#clock.now().getTime();
    }
  }

  #fail(failure: Failure | null): void {
    if (JSON.stringify(failure) !== JSON.stringify(this.#failure)) {
      this.#failure = failure;
      this.#version += 1;
    }
  }

  /** Those that were active before are read once more, for what became of them. */
  async #readActive(volumes: Volumes): Promise<void> {
    const active = new Set<string>();
    let from: string | undefined;
    do {
      const page = await volumes.listOverdue(END_OF_TIME, PAGE_SIZE, from);
      for (const { id } of page.items) {
        active.add(id);
      }
      from = page.next;
    } while (from !== undefined);
    const asked = [...active, ...[...this.#active].filter((id) => !active.has(id))];
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

  /** Waits for the first page of the first scan; later ones are read while the answers go out. */
  async #scanWhenDue(volumes: Volumes): Promise<void> {
    if (this.#scanning !== undefined || this.#clock.now().getTime() < this.#scanned.nextAt) {
      return;
    }
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

function rowOf(volume: VolumeRecord): VolumeRow {
  const { id, display_name: name, status, phase, size, host, project_id, created_at, fault } = volume;
  const attempt = attemptOf(volume);
  const told = fault === null ? null : `${fault.error}: ${fault.cause}`;
  return { id, name, status, phase, size, host, project_id, created_at, attempt, fault: told };
}

/** How far the copy of a volume is; null when nothing is copied. */
export function copyOf(volume: Pick<VolumeRecord, "progress">, now: Date): CopyReading | null {
  const reading = readingOf(volume, now);
  if (reading?.bytesDone === undefined || reading.bytesTotal === undefined) {
    return null;
  }
  return {
    bytes_done: reading.bytesDone,
    bytes_total: reading.bytesTotal,
    bytes_per_second: reading.bytesPerSecond ?? null,
    eta_seconds: reading.etaSeconds === undefined ? null : Math.ceil(reading.etaSeconds),
  };
}

function matcherOf({ search, status }: VolumesQuery): (row: VolumeRow) => boolean {
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  return (row) => {
    if (status !== null && row.status !== status) {
      return false;
    }
    const text = [row.name, row.id, row.project_id, row.status, row.host].join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

/** Volumes that are equal by the key are in the order of their ids, the same each time. */
function sorted(rows: readonly VolumeRow[], { sort, isDescending }: VolumesQuery): VolumeRow[] {
  const sign = isDescending ? -1 : 1;
  return rows.toSorted((one, other) => sign * compare(one[sort], other[sort]) || compareText(one.id, other.id));
}

function compare(one: string | number | null, other: string | number | null): number {
  return typeof one === "number" && typeof other === "number"
    ? one - other
    : compareText(String(one ?? "").toLowerCase(), String(other ?? "").toLowerCase());
}

function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function countsOf(entries: readonly Entry[]): VolumesAnswer["counts"] {
  const counts: VolumesAnswer["counts"] = {};
  for (const { row } of entries) {
    counts[row.status] = (counts[row.status] ?? 0) + 1;
  }
  return counts;
}

function createdPerMinute(entries: readonly Entry[], now: Date): number[] {
  return byMinute(entries, now, ({ row }) => row.created_at).map(({ length }) => length);
}

/** Medians, because one slow image copy among raw volumes says little of either. */
function createSecondsPerMinute(entries: readonly Entry[], now: Date): (number | null)[] {
  return byMinute(entries, now, ({ launchedAt }) => launchedAt).map((launched) => {
    const seconds = launched.map(
      ({ row, launchedAt }) => (Date.parse(launchedAt ?? "") - Date.parse(row.created_at)) / 1000,
    );
    return seconds.toSorted((one, other) => one - other)[Math.floor((seconds.length - 1) / 2)] ?? null;
  });
}

/** The entries by the minute of a time, the oldest minute first; those of before are in none. */
function byMinute(entries: readonly Entry[], now: Date, timeOf: (entry: Entry) => string | null): Entry[][] {
  const minutes = Array.from({ length: MINUTES_SHOWN }, (): Entry[] => []);
  for (const entry of entries) {
    const time = timeOf(entry);
    const age = time === null ? Infinity : Math.floor((now.getTime() - Date.parse(time)) / 60_000);
    minutes[MINUTES_SHOWN - 1 - Math.max(0, age)]?.push(entry);
  }
  return minutes;
}
