import type { DeadLetterRecord } from "../../../core/dead-letters.ts";
import type { DeadLetterRepository, Page } from "../../../core/ports.ts";
import { requireItemSize } from "./item-size.ts";
import { pageOf } from "./volumes.ts";

/** Dead letters in memory. */
export class DeadLettersFake implements DeadLetterRepository {
  readonly records = new Map<string, DeadLetterRecord>();

  async keep(letter: DeadLetterRecord): Promise<DeadLetterRecord> {
    const kept = this.records.get(letter.id) ?? structuredClone(letter);
    requireItemSize(kept);
    this.records.set(letter.id, kept);
    return structuredClone(kept);
  }

  async get(id: string): Promise<DeadLetterRecord | undefined> {
    return structuredClone(this.records.get(id));
  }

  async list(limit: number, from?: string): Promise<Page<DeadLetterRecord>> {
    return pageOf(structuredClone([...this.records.values()]), limit, from);
  }

  async beginRedrive(id: string, fence: string): Promise<void> {
    this.#change(id, { redrive_fence: fence });
  }

  async markRedriven(id: string, at: Date): Promise<void> {
    this.#change(id, { redriven_at: at.toISOString() });
  }

  async discard(id: string): Promise<void> {
    this.records.delete(id);
  }

  #change(id: string, change: Partial<DeadLetterRecord>): void {
    const found = this.records.get(id);
    if (found !== undefined) {
      this.records.set(id, { ...found, ...change });
    }
  }
}
