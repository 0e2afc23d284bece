import { setTimeout as delay } from "node:timers/promises";

/** A Block Storage API without authentication; `url` ends in `/v3`. */
export type Endpoint = { url: string; projectId: string };

/** The part of a volume that the client reads. */
export type Volume = { id: string; status: string };

/** A create that takes longer is a failure. */
const LONGEST_CREATE_MS = 300_000;

/**
 * The shortest wait between two looks at a volume. Later ones grow with the time since the request, so that looking takes the same share of
 * a fast and of a slow create.
 */
const SHORTEST_WAIT_MS = 10;
const WAIT_SHARE = 0.25;

/** How the client polls, in words for the report. */
export const POLLING = `GET /volumes/{id} every ${SHORTEST_WAIT_MS} ms, later after each ${WAIT_SHARE * 100} % of the time since the request`;

/** The client of the comparison, the same for both servers. @throws Error for an answer that is not a success */
export class BlockStorageClient {
  readonly #url: string;
  readonly #headers: Record<string, string>;

  constructor({ url, projectId }: Endpoint) {
    this.#url = `${url}/${projectId}`;
    // As Cinder's `noauth` reads it: user and project.
    this.#headers = { "content-type": "application/json", "x-auth-token": `admin:${projectId}` };
  }

  /** The text of the answer, read to its end. */
  async ask(method: string, path: string, body?: unknown): Promise<string> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: this.#headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) {
      throw new Error(`${method} ${path} is answered by ${response.status}: ${text.slice(0, 200)}`);
    }
    return text;
  }

  /** Waits until two backends have reported, and lifts the project's quota. */
  async prepare(): Promise<void> {
    await this.ask("PUT", this.#quotaPath(), { quota_set: { volumes: -1, gigabytes: -1 } });
    while (readPools(await this.ask("GET", "/scheduler-stats/get_pools")).length < 2) {
      await delay(100);
    }
  }

  /** Creates a raw volume of 1 GiB and waits until it is `available`; its id. @throws Error when it ends otherwise */
  async createAvailable(): Promise<string> {
    const startedAt = performance.now();
    const elapsed = (): number => performance.now() - startedAt;
    let volume = readVolume(await this.ask("POST", "/volumes", { volume: { size: 1 } }));
    while (volume.status === "creating" && elapsed() < LONGEST_CREATE_MS) {
      await delay(Math.max(SHORTEST_WAIT_MS, elapsed() * WAIT_SHARE));
      volume = readVolume(await this.ask("GET", `/volumes/${volume.id}`));
    }
    if (volume.status !== "available") {
      throw new Error(`volume ${volume.id} is ${volume.status} after ${Math.round(elapsed())} ms`);
    }
    return volume.id;
  }

  #quotaPath(): string {
    return `/os-quota-sets/${this.#url.slice(this.#url.lastIndexOf("/") + 1)}`;
  }
}

function readVolume(text: string): Volume {
  return (JSON.parse(text) as { volume: Volume }).volume;
}

function readPools(text: string): unknown[] {
  return (JSON.parse(text) as { pools: unknown[] }).pools;
}
