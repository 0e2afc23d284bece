import { inFlight, percentile } from "../rig.ts";
import type { BlockStorageClient } from "./client.ts";
import { processorMilliseconds } from "./processor-time.ts";

/** Medians of one server. */
export type Figures = {
  create_to_available_p50_ms: number;
  create_to_available_p95_ms: number;
  creates_per_second: number;
  /** Processor time of all the server's processes for one create with many in flight. */
  processor_ms_per_create: number;
  list_detail_ms: number;
  list_ms: number;
  show_ms: number;
};

/** Sizes of a comparison. */
export type Sizes = {
  rounds: number;
  /** Creates before the first round, which are not measured: first requests load code. */
  warmUp: number;
  /** Creates of a round, one at a time. */
  alone: number;
  /** Creates of a round with {@link inFlight} in progress. */
  together: number;
  inFlight: number;
  /** Reads of each kind in a round. */
  reads: number;
};

/** Measures one server, and keeps the samples. */
export class Measurement {
  readonly #client: BlockStorageClient;
  readonly #processIds: readonly number[];
  readonly #ids: string[] = [];
  readonly #samples = {
    latency: [] as number[],
    rate: [] as number[],
    processor: [] as number[],
    detail: [] as number[],
    list: [] as number[],
    show: [] as number[],
  };

  /** @param processIds the server's processes, without their children */
  constructor(client: BlockStorageClient, processIds: readonly number[]) {
    this.#client = client;
    this.#processIds = processIds;
  }

  async warmUp({ warmUp, inFlight: most }: Sizes): Promise<void> {
    await this.#client.prepare();
    await this.#create(warmUp, most);
  }

  /** Creates volumes one at a time, each from its request to `available`. */
  async latency({ alone }: Sizes): Promise<void> {
    for (let index = 0; index < alone; index += 1) {
      const [, milliseconds] = await timed(() => this.#create(1, 1));
      this.#samples.latency.push(milliseconds);
    }
  }

  /** Creates volumes with many in progress, each until it is `available`. */
  async rate({ together, inFlight: most }: Sizes): Promise<void> {
    const before = await processorMilliseconds(this.#processIds);
    const [, milliseconds] = await timed(() => this.#create(together, most));
    this.#samples.rate.push((together * 1000) / milliseconds);
    this.#samples.processor.push(((await processorMilliseconds(this.#processIds)) - before) / together);
  }

  /**
   * Reads a page of all volumes with and without details, and shows one volume.
   *
   * @throws Error when a page does not have each volume once, or a volume in it is not `available`
   */
  async reads({ reads }: Sizes): Promise<void> {
    const limit = this.#ids.length;
    for (let index = 0; index < reads; index += 1) {
      const [detail, detailMs] = await timed(() => this.#client.ask("GET", `/volumes/detail?limit=${limit}`));
      const [list, listMs] = await timed(() => this.#client.ask("GET", `/volumes?limit=${limit}`));
      const id = this.#ids[Math.floor((index * limit) / reads)] ?? "";
      const [, showMs] = await timed(() => this.#client.ask("GET", `/volumes/${id}`));
      requirePage(detail, this.#ids);
      requirePage(list, this.#ids);
      this.#samples.detail.push(detailMs);
      this.#samples.list.push(listMs);
      this.#samples.show.push(showMs);
    }
  }

  figures(): Figures {
    const { latency, rate, processor, detail, list, show } = this.#samples;
    return {
      create_to_available_p50_ms: percentile(latency, 0.5),
      create_to_available_p95_ms: percentile(latency, 0.95),
      creates_per_second: percentile(rate, 0.5),
      processor_ms_per_create: percentile(processor, 0.5),
      list_detail_ms: percentile(detail, 0.5),
      list_ms: percentile(list, 0.5),
      show_ms: percentile(show, 0.5),
    };
  }

  async #create(volumes: number, most: number): Promise<void> {
    await inFlight(Array.from({ length: volumes }), most, async () => {
      this.#ids.push(await this.#client.createAvailable());
    });
  }
}

/** Measures servers in turns, so that other work of the machine meets all of them. */
export async function measureInTurns(servers: readonly Measurement[], sizes: Sizes): Promise<void> {
  for (const server of servers) {
    await server.warmUp(sizes);
  }
  for (let round = 0; round < sizes.rounds; round += 1) {
    for (const server of servers) {
      await server.latency(sizes);
    }
    for (const server of servers) {
      await server.rate(sizes);
    }
  }
  for (let round = 0; round < sizes.rounds; round += 1) {
    for (const server of servers) {
      await server.reads(sizes);
    }
  }
}

function requirePage(text: string, ids: readonly string[]): void {
  const { volumes } = JSON.parse(text) as { volumes: { id: string; status?: string }[] };
  const found = new Set(volumes.map(({ id }) => id));
  const missing = ids.filter((id) => !found.has(id));
  if (volumes.length !== ids.length || missing.length > 0) {
    throw new Error(`a page has ${volumes.length} volumes, not ${ids.length}; ${missing.length} are missing`);
  }
  const other = volumes.find(({ status = "available" }) => status !== "available");
  if (other !== undefined) {
    throw new Error(`volume ${other.id} is listed as ${other.status}`);
  }
}

async function timed<Result>(act: () => Promise<Result>): Promise<[Result, number]> {
  const startedAt = performance.now();
  const result = await act();
  return [result, performance.now() - startedAt];
}
