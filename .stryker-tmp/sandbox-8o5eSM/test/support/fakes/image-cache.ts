// @ts-nocheck
import type { FillLease, ImageCacheEntry, ImageCacheRepository, NewEntry } from "../../../core/image-cache.ts";
import type { WorkCheckpoint } from "../../../core/spec.ts";

/** Entries of the image-volume cache in memory, under the contract of the port. */
export class ImageCacheFake implements ImageCacheRepository {
  readonly records = new Map<string, ImageCacheEntry>();

  /** Image by cached volume, of all that ever were. */
  readonly imageOf = new Map<string, string>();

  /** Puts an entry that is filled. */
  addAvailable({ at, ...entry }: NewEntry & { at: string }): void {
    this.imageOf.set(entry.volume_id, entry.image_id);
    const times = { created_at: at, last_used_at: at, lease_until: null };
    this.records.set(entry.id, { ...entry, ...times, state: "available", fence: "earlier-a1", checkpoint: null });
  }

  async get(id: string): Promise<ImageCacheEntry | undefined> {
    return structuredClone(this.records.get(id));
  }

  async list(): Promise<ImageCacheEntry[]> {
    return structuredClone([...this.records.values()]);
  }

  async beginFill(entry: NewEntry, { fence, now, until }: FillLease): Promise<boolean> {
    const found = this.records.get(entry.id);
    if (found !== undefined && !(found.state === "filling" && isOver(found, now))) {
      return false;
    }
    this.imageOf.set(entry.volume_id, entry.image_id);
    this.records.set(entry.id, {
      ...entry,
      state: "filling",
      fence,
      lease_until: until.toISOString(),
      checkpoint: null,
      created_at: now.toISOString(),
      last_used_at: now.toISOString(),
    });
    return true;
  }

  async renew(id: string, { fence, until }: FillLease, checkpoint?: WorkCheckpoint | null): Promise<boolean> {
    return this.#change(id, (found) => isMineAtWork(found, fence), {
      lease_until: until.toISOString(),
      ...(checkpoint !== undefined && checkpoint !== null && { checkpoint }),
    });
  }

  async beginCopy(id: string, { fence, until }: FillLease): Promise<boolean> {
    const change = { state: "copying", lease_until: until.toISOString() } as const;
    return this.#change(id, (found) => isMineAtWork(found, fence), change);
  }

  async complete(id: string, fence: string, now: Date): Promise<boolean> {
    return this.#change(id, (found) => found.fence === fence && ["copying", "available"].includes(found.state), {
      state: "available",
      last_used_at: now.toISOString(),
      lease_until: null,
      checkpoint: null,
    });
  }

  async abandon(id: string, by: { fence: string } | { now: Date }): Promise<boolean> {
    const found = this.records.get(id);
    const isTheirs = found !== undefined && ("fence" in by ? found.fence === by.fence : isOver(found, by.now));
    return found?.state === "filling" && isTheirs && this.records.delete(id);
  }

  async touch(id: string, now: Date): Promise<boolean> {
    const before = new Date(now.getTime() - 60_000).toISOString();
    const isDue = (found: ImageCacheEntry) => found.state === "available" && found.last_used_at < before;
    return this.#change(id, isDue, { last_used_at: now.toISOString() });
  }

  async beginEvict(id: string, { fence, now }: { fence: string | null; now: Date }): Promise<boolean> {
    const isAllowed = (found: ImageCacheEntry): boolean =>
      fence === null
        ? ["available", "evicting"].includes(found.state) || (found.state === "copying" && isOver(found, now))
        : found.fence === fence && found.state !== "filling";
    return this.#change(id, isAllowed, { state: "evicting", lease_until: null, checkpoint: null });
  }

  async finishEvict(id: string): Promise<void> {
    if (this.records.get(id)?.state === "evicting") {
      this.records.delete(id);
    }
  }

  #change(id: string, isAllowed: (found: ImageCacheEntry) => boolean, change: Partial<ImageCacheEntry>): boolean {
    const found = this.records.get(id);
    if (found === undefined || !isAllowed(found)) {
      return false;
    }
    this.records.set(id, { ...found, ...change });
    return true;
  }
}

function isOver({ lease_until: until }: ImageCacheEntry, now: Date): boolean {
  return until !== null && until < now.toISOString();
}

function isMineAtWork(found: ImageCacheEntry, fence: string): boolean {
  return found.fence === fence && (found.state === "filling" || found.state === "copying");
}
