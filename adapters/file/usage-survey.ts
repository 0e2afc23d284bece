/** Longest duration of one survey in milliseconds: a report has a time limit, and runs each minute. */
const BUDGET_MS = 3_000;

/** Files examined concurrently. Node runs as many calls of the file system as its pool has threads. */
const AT_ONCE = 32;

/** Parts of the files, by the first two digits of their ids: of equal size, because ids are drawn at random. */
const SHARDS = 256;

/** The files that are surveyed. */
export type SurveyedFiles = {
  /** Name and id of each file. */
  names(): AsyncIterable<{ name: string; id: string }>;
  /** Bytes that a file takes; undefined when it is gone. */
  bytesOf(name: string): Promise<number | undefined>;
};

/** Known usage of one part of the files. */
type Shard = { files: number; bytes: number; survey: number };

/**
 * The bytes of a backend's files. Each survey lists the names and examines files for a bounded time, the longest unseen parts first. For
 * the other parts it uses the findings of earlier surveys; without any it assumes the average of the seen parts. So a report costs the same
 * for any number of files, and the figures are as old as the time to examine all of them. A few files are all examined each time. Memory
 * does not grow with the files beyond their names, during a survey.
 */
export class UsageSurvey {
  readonly #files: SurveyedFiles;
  readonly #nowMs: () => number;
  readonly #shards: Shard[] = Array.from({ length: SHARDS }, () => ({ files: 0, bytes: 0, survey: 0 }));
  #survey = 0;

  /** @param nowMs a clock that only goes forward */
  constructor(files: SurveyedFiles, nowMs: () => number = () => performance.now()) {
    this.#files = files;
    this.#nowMs = nowMs;
  }

  /** Bytes of all files, as far as they are known in time. */
  async usedBytes(): Promise<number> {
    const startedMs = this.#nowMs();
    const deadlineMs = startedMs + BUDGET_MS;
    this.#survey += 1;
    const names = await this.#list(startedMs + BUDGET_MS / 2);
    const oldestFirst = [...this.#shards.entries()].toSorted(([, one], [, other]) => one.survey - other.survey);
    for (const [index] of oldestFirst) {
      if (!(await this.#look(index, names[index] ?? [], deadlineMs))) {
        break;
      }
    }
    return this.#total(names.map(({ length }) => length));
  }

  /** The names by shard. A listing that takes too long is used as far as it has come. */
  async #list(deadlineMs: number): Promise<string[][]> {
    const names: string[][] = Array.from({ length: SHARDS }, () => []);
    for await (const { name, id } of this.#files.names()) {
      names[Number.parseInt(id.slice(0, 2), 16)]?.push(name);
      if (this.#nowMs() > deadlineMs) {
        break;
      }
    }
    return names;
  }

  /** Examines all files of a shard; false, without a result, when the time is up before. */
  async #look(index: number, names: readonly string[], deadlineMs: number): Promise<boolean> {
    let bytes = 0;
    for (let from = 0; from < names.length; from += AT_ONCE) {
      if (this.#nowMs() > deadlineMs) {
        return false;
      }
      const batch = names.slice(from, from + AT_ONCE);
      const found = await Promise.all(batch.map((name) => this.#files.bytesOf(name)));
      bytes += found.reduce<number>((sum, each) => sum + (each ?? 0), 0);
    }
    this.#shards[index] = { files: names.length, bytes, survey: this.#survey };
    return true;
  }

  #total(counts: readonly number[]): number {
    const seen = this.#shards.filter(({ survey }) => survey > 0);
    const files = seen.reduce((sum, shard) => sum + shard.files, 0);
    const bytes = seen.reduce((sum, shard) => sum + shard.bytes, 0);
    const unseen = this.#shards.reduce((sum, { survey }, index) => sum + (survey > 0 ? 0 : (counts[index] ?? 0)), 0);
    return bytes + (files === 0 ? 0 : (unseen * bytes) / files);
  }
}
