import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { interruption } from "../../local/signals.ts";
import { startCinder } from "../../verify/cinder/cinder.ts";
import { INSTALL, missingForCinder } from "../../verify/cinder/installed.ts";
import { startCinderlessProcess } from "./cinderless-process.ts";
import { BlockStorageClient, POLLING } from "./client.ts";
import { type Figures, Measurement, measureInTurns, type Sizes } from "./measure.ts";

/** Real Cinder and Cinderless, measured in turns by one client. */
export type CinderBenchResult = {
  volumes: number;
  in_flight: number;
  rounds: number;
  /** How the servers and the client are set up. */
  setup: Readonly<Record<"cinder" | "cinderless" | "client", string>>;
  cinder: Figures;
  cinderless: Figures;
  /** A line for each target that is missed. */
  broken: string[];
};

/** Why the comparison cannot run on this machine. */
export type CinderBenchSkipped = { skipped: string };

/** Creates, their rate and lists must be so many times as fast as Cinder's. */
const TARGET = 2;

const SIZES = { rounds: 5, alone: 10, inFlight: 32, reads: 8 };

/** One page of either server has at most so many volumes. */
const MOST_VOLUMES = 1000;

/** Each round then has as many creates as are in flight, and so does the warm-up. */
const FEWEST_VOLUMES = SIZES.inFlight + SIZES.rounds * (SIZES.alone + SIZES.inFlight);

const SETUP = {
  cinder:
    `Cinder of Debian, noauth: cinder-api with a worker for each of ${availableParallelism()} cores (its default), one cinder-scheduler, ` +
    "one cinder-volume with two backends of the NFS driver on folders (no NFS server, no rootwrap), MariaDB (commits written, not " +
    "synced), RabbitMQ, notifications off",
  cinderless:
    "npm start, noauth: two backends of the file driver, records on disk (written, not synced), console closed",
  client: `fetch in one Node process, at most ${SIZES.inFlight} requests at once; polls ${POLLING}`,
};

/** Why so many volumes cannot be compared, or undefined when they can. */
export function problemOf(volumes: number): string | undefined {
  return volumes < FEWEST_VOLUMES || volumes > MOST_VOLUMES
    ? `cinder takes ${FEWEST_VOLUMES} to ${MOST_VOLUMES} volumes, not ${volumes}`
    : undefined;
}

/**
 * Starts a real Cinder and Cinderless next to each other, and measures them in turns.
 *
 * @param volumes how many volumes each has in the end; see {@link problemOf}
 * @param root the root of the file system in which Cinder's programs are looked for
 * @throws Interrupted when the process is asked to end; both have stopped by then
 */
export async function benchCinder(volumes: number, root = "/"): Promise<CinderBenchResult | CinderBenchSkipped> {
  const missing = await missingForCinder(root);
  if (missing.length > 0) {
    return { skipped: `this machine lacks ${missing.join(", ")}; this installs them: ${INSTALL}` };
  }
  const directory = await mkdtemp(path.join(tmpdir(), "cinderless-bench-cinder-"));
  const stops: (() => Promise<void>)[] = [];
  const { signal } = interruption();
  const interrupted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  try {
    return await Promise.race([interrupted, compare(directory, volumes, (stop) => stops.push(stop))]);
  } finally {
    for (const stop of stops.toReversed()) {
      await stop();
    }
    // A worker of a server that was killed may still write.
    await rm(directory, { recursive: true, force: true, maxRetries: 20 });
  }
}

async function compare(
  directory: string,
  volumes: number,
  keepRunning: (stop: () => Promise<void>) => unknown,
): Promise<CinderBenchResult> {
  const real = path.join(directory, "cinder");
  await mkdir(real);
  const { url: cinderUrl, processIds } = await startCinder(real, keepRunning);
  const own = await startCinderlessProcess(path.join(directory, "cinderless"));
  keepRunning(own.stop);
  const projectId = randomUUID().replaceAll("-", "");
  const cinder = new Measurement(new BlockStorageClient({ url: cinderUrl, projectId }), processIds);
  const cinderless = new Measurement(new BlockStorageClient({ url: own.url, projectId }), [own.processId]);
  await measureInTurns([cinder, cinderless], sizesOf(volumes));
  return {
    volumes,
    in_flight: SIZES.inFlight,
    rounds: SIZES.rounds,
    setup: SETUP,
    cinder: cinder.figures(),
    cinderless: cinderless.figures(),
    broken: missedTargets(cinder.figures(), cinderless.figures()),
  };
}

function sizesOf(volumes: number): Sizes {
  const together = Math.floor((volumes - SIZES.inFlight) / SIZES.rounds) - SIZES.alone;
  return { ...SIZES, together, warmUp: volumes - SIZES.rounds * (together + SIZES.alone) };
}

/** How many times as fast as Cinder's each figure of Cinderless is. */
export function timesAsFast(cinder: Figures, cinderless: Figures): Figures {
  const ratio = (name: keyof Figures): number => cinder[name] / cinderless[name];
  return {
    create_to_available_p50_ms: ratio("create_to_available_p50_ms"),
    create_to_available_p95_ms: ratio("create_to_available_p95_ms"),
    creates_per_second: 1 / ratio("creates_per_second"),
    processor_ms_per_create: ratio("processor_ms_per_create"),
    list_detail_ms: ratio("list_detail_ms"),
    list_ms: ratio("list_ms"),
    show_ms: ratio("show_ms"),
  };
}

/** A line for each figure that has a target and misses it. */
export function missedTargets(cinder: Figures, cinderless: Figures): string[] {
  const times = timesAsFast(cinder, cinderless);
  const targets = ["create_to_available_p50_ms", "creates_per_second", "list_detail_ms", "list_ms"] as const;
  return targets
    .filter((name) => !(times[name] >= TARGET))
    .map((name) => `${name} is ${times[name].toFixed(2)} times as fast as Cinder's, not ${TARGET} times`);
}
