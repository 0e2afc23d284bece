import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fenceOf, type VolumeRecord } from "../../core/records.ts";
import { keepOutputs, startConsole } from "../support/console-command.ts";
import { type CinderlessUnderTest, startUnderTest } from "../support/local-cinderless.ts";
import { ownerOf, queuedVolume } from "../support/records.ts";

/** The scene of the console's tests: Cinderless in the embedded cloud with volumes of every kind, and the console command. */

const REQUEST = { projectId: "shop", userId: "ada", metadata: { tier: "gold" } };

/** A name that a page which trusts it would run. */
export const HOSTILE_NAME = '<img src=x onerror="document.title=1">\u202Egnp.exe';

/** The deployment with its volumes, and the address of its console. */
export type Scene = {
  cinderless: CinderlessUnderTest;
  /** Ids by the name of the volume. */
  ids: Record<"database" | "second-try" | "too-large" | "web-root" | "hostile", string>;
  url: string;
  /** Below it is everything that the scene stores. */
  directory: string;
  /** Ends the command as Ctrl-C does; its exit status. */
  interrupt(): Promise<number | null>;
  stop(): Promise<void>;
};

/** Two backends: one that works, and one that offers the most room and fails its first create. */
function backendsIn(directory: string): Record<string, unknown>[] {
  const flaky = {
    driver: "file",
    options: { directory: path.join(directory, "flaky"), capacity_gb: 1000 },
    state_directory: path.join(directory, "flaky.faults"),
    faults: [
      {
        call: "createVolume",
        error: "VolumeBackendAPIException",
        message: "the array answered 503 Service Unavailable",
        times: 1,
      },
    ],
  };
  return [
    {
      host: "rack1@ssd",
      driver: "file",
      availability_zone: "nova",
      options: { directory: path.join(directory, "ssd"), capacity_gb: 200 },
    },
    { host: "rack2@array", driver: "fault", availability_zone: "edge", options: flaky },
  ];
}

/** Starts everything, and waits until the volumes are as they should be. Nothing is left when that fails. */
export async function startScene(): Promise<Scene> {
  await using started = new AsyncDisposableStack();
  const directory = mkdtempSync(path.join(tmpdir(), "cinderless-console-test-"));
  started.defer(() => rmSync(directory, { recursive: true, force: true }));
  const cinderless = await startUnderTest({ context: { backends: backendsIn(path.join(directory, "backends")) } });
  started.defer(() => cinderless.stop());
  const ids = await createVolumes(cinderless);
  keepOutputs(directory, cinderless.cloud);
  const { PATH = "", HOME = "" } = process.env;
  const { url, end } = await startConsole({ cwd: directory, env: { PATH, HOME } });
  started.defer(async () => void (await end("SIGKILL")));
  const all = started.move();
  return { cinderless, ids, url, directory, interrupt: () => end("SIGINT"), stop: () => all.disposeAsync() };
}

/** Volumes of every kind, and a dead letter. */
async function createVolumes(cinderless: CinderlessUnderTest): Promise<Scene["ids"]> {
  const create = (displayName: string, sizeGib: number, availabilityZone: string | null = null): Promise<string> =>
    cinderless.create({ ...REQUEST, displayName, sizeGib, availabilityZone });
  const ids = {
    "second-try": await create("second-try", 2),
    database: await create("database", 20, "nova"),
    "too-large": await create("too-large", 90_000),
    hostile: await create(HOSTILE_NAME, 1, "nova"),
    "web-root": await putCopy(cinderless),
  };
  for (const id of [ids["second-try"], ids.database, ids["too-large"], ids.hostile]) {
    await cinderless.settled(id);
  }
  await cinderless.giveUp(JSON.stringify({ volume_id: ids["too-large"], request_spec: {}, filter_properties: {} }));
  await cinderless.deadLetters(1);
  return ids;
}

const GIB = 1024 ** 3;

/** A volume whose image is being copied, according to its record. No execution moves it: the test does. */
async function putCopy({ volumes }: CinderlessUnderTest): Promise<string> {
  const id = randomUUID();
  const now = new Date().toISOString();
  const record: VolumeRecord = queuedVolume({
    id,
    display_name: "web-root",
    size: 8,
    status: "downloading",
    phase: "copying",
    project_id: "shop",
    user_id: "ada",
    host: "rack1@ssd#ssd",
    availability_zone: "nova",
    fence: fenceOf(id, 1),
    created_at: now,
    updated_at: now,
    deadline: new Date(Date.now() + 3_600_000).toISOString(),
    attempts: { "1": { host: "rack1@ssd#ssd", execution: fenceOf(id, 1), started_at: now, outcome: "running" } },
    progress: { bytes_done: 2 * GIB, bytes_total: 8 * GIB, bytes_per_second: 200 * 1024 ** 2, updated_at: now },
  });
  await volumes.create(record);
  return id;
}

/** Advances the copy to this many GiB of eight. */
export async function moveCopy({ cinderless, ids }: Scene, gib: number): Promise<void> {
  const progress = {
    bytes_done: gib * GIB,
    bytes_total: 8 * GIB,
    bytes_per_second: 200 * 1024 ** 2,
    updated_at: new Date().toISOString(),
  };
  await cinderless.volumes.saveProgress(ownerOf(ids["web-root"]), progress, new Date(Date.now() + 3_600_000));
}
