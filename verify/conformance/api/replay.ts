import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startCinderless } from "../../../local/cinderless.ts";
import { differencesOf } from "./compare.ts";
import { explains, reasonOf, type Row } from "./differences.ts";
import { type Exchange, nameOf } from "./exchanges.ts";
import { CALLERS, PROJECTS, startKeystone } from "./keystone.ts";
import { Names } from "./names.ts";

/** How one exchange compares. `reason` is that of the closed list. */
export type ApiResult = {
  name: string;
  verdict: "same as Cinder" | "explained" | "not replayed" | "different";
  differences: string[];
  reason?: string;
};

/** Headers whose values count; the others are of the server that carried the answer. */
const HEADERS = ["content-type", "openstack-api-version", "vary", "x-openstack-request-id", "x-compute-request-id"];

/** Volumes that the recording made without a recorded request, when they are asked for first. */
const LATER: Readonly<Record<string, Record<string, unknown>>> = {
  "<typed>": { size: 1, name: "typed", volume_type: "fast" },
};

/** Images of the recording, which nothing reads here: they are named in requests that are refused before. */
const IMAGES = ["<image-raw>", "<image-with-properties>", "<image-queued>", "<image-min-disk-2>"];

/** Limits of the other project before an exchange. */
const LIMITS_BEFORE: Readonly<Record<string, Record<string, number>>> = {
  "bad: larger than per_volume_gigabytes": { per_volume_gigabytes: 2 },
  "bad: over the quota of volumes": { per_volume_gigabytes: 2, volumes: 1 },
  "bad: over the quota of gigabytes": { volumes: 100, gigabytes: 2 },
};

/** Limits of the recording. */
const QUOTAS = { volumes: 100, snapshots: 100, gigabytes: 2000 };

/** Volumes that the recording began with, in the order of their creation. */
const VOLUMES: readonly { name: string; as?: string; volume: Record<string, unknown> }[] = [
  { name: "oldest", volume: { size: 1 } },
  { name: "second-oldest", volume: { size: 1 } },
  { name: "source-volume", volume: { size: 1, description: "the source", metadata: { a: "b" } } },
  { name: "big", volume: { size: 2 } },
  { name: "to-update", volume: { size: 1, metadata: { m1: "v1" } } },
  { name: "to-act", volume: { size: 1 } },
  { name: "to-delete", volume: { size: 1 } },
  { name: "to-force", volume: { size: 1 } },
  { name: "snap-parent", volume: { size: 1 } },
  { name: "to-attach", volume: { size: 1 } },
  { name: "others-volume", as: "member of another project", volume: { size: 1 } },
];

const BUSY = ["creating", "downloading", "deleting", "extending"];

type Answered = { status: number; headers: Headers; body: unknown };

/** Replays the exchanges one after the other against the embedded cloud, in a directory of its own. */
export async function replay(exchanges: readonly Exchange[], onResult: (result: ApiResult) => void): Promise<void> {
  const keystone = await startKeystone();
  const directory = mkdtempSync(path.join(tmpdir(), "cinderless-api-"));
  const local = await startCinderless({ directory, context: contextOf(directory, keystone.url) });
  try {
    const url = (local.cloud.outputs["BlockStorageApiUrl"] ?? "").replace(/\/v3$/, "");
    const session = new Session(url);
    await session.prepare();
    for (const exchange of exchanges) {
      onResult(await session.run(exchange));
    }
  } finally {
    await local.stop();
    await keystone.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function contextOf(directory: string, keystoneUrl: string): Record<string, unknown> {
  return {
    blockStorageApi: { auth: "keystone", auth_url: keystoneUrl },
    backends: ["a", "b"].map((letter) => ({
      host: `hostone@nfs${letter}`,
      driver: "file",
      options: { directory: path.join(directory, `mnt-${letter}`), export: "hostone:/export/a" },
      capabilities: { volume_backend_name: `nfs${letter}` },
    })),
  };
}

class Session {
  readonly #url: string;
  readonly #names = new Names();

  constructor(url: string) {
    this.#url = url;
    this.#names.bind("<endpoint>", url.replace("http://", ""));
    this.#names.bind("<hex32>", "0e0e0e0e0e0e4e0e8e0e0e0e0e0e0e0e");
    this.#names.bind("<host>", "hostone");
    for (const [index, name] of IMAGES.entries()) {
      this.#names.bind(name, `0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0${index}`);
    }
    for (const [name, id] of Object.entries(PROJECTS)) {
      this.#names.bind(name, id);
    }
  }

  /** Makes what the recording began with. */
  async prepare(): Promise<void> {
    while (
      ((await this.#ask("admin", "GET", "/scheduler-stats/get_pools")).body as { pools: unknown[] }).pools.length < 2
    ) {
      await delay(50);
    }
    await this.#ask("admin", "PUT", "/os-quota-class-sets/default", { quota_class_set: QUOTAS });
    const nowhere = { name: "nowhere", extra_specs: { volume_backend_name: "nowhere" } };
    await this.#ask("admin", "POST", "/types", { volume_type: nowhere });
    for (const { name, as = "member", volume } of VOLUMES) {
      const { body } = await this.#ask(as, "POST", "/volumes", { volume: { ...volume, name } });
      this.#names.bind(`<${name}>`, (body as { volume: { id: string } }).volume.id);
    }
    await this.#atRest();
    for (const [name, volume] of [
      ["source-snapshot", "<source-volume>"],
      ["big-snapshot", "<big>"],
    ] as const) {
      const snapshot = { name, volume_id: this.#names.get(volume) };
      const { body } = await this.#ask("member", "POST", "/snapshots", { snapshot });
      this.#names.bind(`<${name}>`, (body as { snapshot: { id: string } }).snapshot.id);
    }
    await this.#atRest();
  }

  async run(exchange: Exchange): Promise<ApiResult> {
    const name = nameOf(exchange);
    const expected = reasonOf(exchange);
    if (expected?.isSkipped === true) {
      return { name, verdict: "not replayed", differences: [], reason: expected.reason };
    }
    const { request, response, as } = exchange;
    await this.#makeLater(request.path);
    const limits = LIMITS_BEFORE[exchange.case];
    if (limits !== undefined) {
      const project = PROJECTS["<other-project>"] ?? "";
      await this.#ask("admin", "PUT", `/os-quota-sets/${project}`, { quota_set: limits });
    }
    const target = this.#names.fill(request.path);
    const body = this.#names.fill(JSON.stringify(request.body));
    const unknown = [...target.unknown, ...body.unknown];
    if (unknown.length > 0) {
      return verdictOf(name, expected, [`${unknown.join(", ")} stands for nothing in this run`]);
    }
    const actual = await this.#send(as, request, target.text, JSON.parse(body.text) as unknown);
    const differences = [
      ...(actual.status === response.status ? [] : [`status: recorded ${response.status}, here ${actual.status}`]),
      ...this.#headerDifferences(response.headers, actual.headers),
      ...differencesOf(response.body, actual.body, this.#names),
    ];
    if (request.method !== "GET") {
      // Messages are asked for by the request that made a volume.
      this.#names.bind("<request-id>", actual.headers.get("x-openstack-request-id") ?? "");
      await this.#atRest();
    }
    return verdictOf(name, expected, differences);
  }

  async #makeLater(target: string): Promise<void> {
    for (const [name, volume] of Object.entries(LATER)) {
      if (target.includes(name) && this.#names.get(name) === undefined) {
        const { body } = await this.#ask("member", "POST", "/volumes", { volume });
        this.#names.bind(name, (body as { volume: { id: string } }).volume.id);
        await this.#atRest();
      }
    }
  }

  #headerDifferences(recorded: Readonly<Record<string, string>>, actual: Headers): string[] {
    const byName = new Map(Object.entries(recorded).map(([header, value]) => [header.toLowerCase(), value]));
    return HEADERS.flatMap((header) => {
      const [wanted, found] = [byName.get(header), actual.get(header)];
      if (wanted === undefined || found === null) {
        return wanted === undefined ? [] : [`header ${header}: missing, recorded ${wanted}`];
      }
      const isSame = header === "content-type" ? typeOf(wanted) === typeOf(found) : this.#names.matches(wanted, found);
      return isSame ? [] : [`header ${header}: recorded ${wanted}, here ${found}`];
    });
  }

  async #send(as: string | null, request: Exchange["request"], target: string, body: unknown): Promise<Answered> {
    const raw = typeof body === "string";
    const bytes = raw ? /^<(\d+) bytes>$/.exec(body)?.[1] : undefined;
    const text = bytes === undefined ? body : "x".repeat(Number(bytes));
    const response = await fetch(this.#url + target, {
      method: request.method,
      headers: { ...request.headers, ...(as !== null && { "X-Auth-Token": tokenOf(as) }) },
      ...(body !== null && request.method !== "GET" && { body: raw ? String(text) : JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, body: bodyOf(await response.text()) };
  }

  async #ask(as: string, method: string, target: string, body?: unknown): Promise<Answered> {
    const project = PROJECTS[CALLERS[as]?.project ?? ""] ?? "";
    const headers: Record<string, string> = { "Content-Type": "application/json" };
    return this.#send(as, { method, path: "", headers, body: null }, `/v3/${project}${target}`, body ?? null);
  }

  /** Waits until nothing is being made, changed or removed. */
  async #atRest(): Promise<void> {
    for (;;) {
      const [volumes, snapshots] = await Promise.all(
        ["volumes", "snapshots"].map(async (kind) => {
          const { body } = await this.#ask("admin", "GET", `/${kind}/detail?all_tenants=1`);
          return (body as Record<string, { status: string }[]>)[kind] ?? [];
        }),
      );
      if (![...(volumes ?? []), ...(snapshots ?? [])].some(({ status }) => BUSY.includes(status))) {
        return;
      }
      await delay(20);
    }
  }
}

function verdictOf(name: string, expected: Row | undefined, differences: string[]): ApiResult {
  if (differences.length === 0) {
    return { name, verdict: "same as Cinder", differences };
  }
  return expected === undefined || !explains(expected, differences)
    ? { name, verdict: "different", differences }
    : { name, verdict: "explained", differences, reason: expected.reason };
}

/** A header holds no spaces at its ends only, but tokens have none at all. */
function tokenOf(as: string): string {
  return as.replaceAll(" ", "_");
}

function typeOf(contentType: string): string {
  return contentType.split(";")[0]?.trim().toLowerCase() ?? "";
}

function bodyOf(text: string): unknown {
  if (text === "") {
    return null;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
