import { randomFillSync } from "node:crypto";
import { mkdtemp, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { SFNClient } from "@aws-sdk/client-sfn";
import { build, type Plugin } from "esbuild";
import { stepsOfExecution } from "../../cli/cost/history.ts";
import prices from "../../cli/cost/prices.json" with { type: "json" };
import { priced } from "../../cli/cost/receipt.ts";
import { invocation, REQUESTS, type Step, workOf } from "../../cli/cost/work.ts";
import { SfnExecutions } from "../../cli/executions.ts";
import { fileNameOf } from "../../core/settings/functions.ts";
import { bundleFunctions } from "../../infra/bundle.ts";
import { ROOM_FOR_ALL, type Rig, startRig } from "../rig.ts";
import { convertToQcow2, imageServed, withGlance } from "../served-images.ts";
import type { InvocationAnswer } from "./copy-process.ts";
import { FORWARDED } from "./forwarded-copy.ts";

/** A volume of a large, mostly empty image. */
export type LargeImageRow = {
  format: "raw" | "qcow2";
  /** Bytes of the image, which are all read. */
  image_mebibytes: number;
  /** From the message to the end of the execution. */
  seconds: number;
  copy_seconds: number;
  copy_cpu_seconds: number;
  /** Largest resident size of the function in all its turns. */
  peak_mebibytes: number;
  turns: number;
  checkpoints: number;
  state_transitions: number;
  /** By the rules and prices of `cinderless cost`. */
  cost_usd: number;
  /** Bytes of the volume on disk. */
  allocated_mebibytes: number;
};

/** The measured figures. */
export type LargeImageResult = { virtual_gib: number; data_mebibytes: number; rows: LargeImageRow[] };

const MEBIBYTE = 2 ** 20;

/** Number of data runs, evenly distributed over the disk. */
const RUNS = 64;
const RUN_BYTES = 4 * MEBIBYTE;

/** Writes of the record in every invocation of the copy: at its begin and its end. */
const USUAL_UPDATES = 2;

/** A function outside the workflow leaves no history; this is its approximate billed time. */
const SCHEDULING_MS = 60;

/** A copy of a raw image takes minutes: all of its bytes are read and hashed, whether they are zeros or not. */
const LONGEST_CREATE_MS = 3_600_000;

/** Replaces the function by one that passes its invocations to separate processes. */
const FORWARDED_COPY: Plugin = {
  name: "forwarded-copy",
  setup(bundler) {
    bundler.onResolve({ filter: /lambdas\/copy-image-to-volume\.ts$/ }, ({ kind }) =>
      kind === "entry-point" ? { path: fileURLToPath(new URL("forwarded-copy.ts", import.meta.url)) } : undefined,
    );
  },
};

/**
 * Creates a volume of a raw and of a qcow2 image from Glance, verified, with the copying function in its own process. Sparse files hold
 * both images and volumes: the disk needs about 1 GiB. Without qemu-img there is no qcow2 image.
 */
export async function benchLargeImages(virtualGib = 100): Promise<LargeImageResult> {
  const directory = await mkdtemp(path.join(tmpdir(), "cinderless-large-"));
  try {
    const served = await imagesIn(directory, virtualGib);
    const rows = await withGlance(
      served.map(({ image }) => image),
      (url) => measureAll(directory, url, served, virtualGib),
    );
    return { virtual_gib: virtualGib, data_mebibytes: (RUNS * RUN_BYTES) / MEBIBYTE, rows };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function measureAll(
  directory: string,
  glanceUrl: string,
  served: readonly LargeImage[],
  virtualGib: number,
): Promise<LargeImageRow[]> {
  const report = path.join(directory, "report");
  const functionEnvironment = await programsIn(directory, report);
  const image_services = { glance: { api_servers: [glanceUrl], auth: { type: "none" } } };
  const rig = await startRig({
    context: { ...ROOM_FOR_ALL, image_services },
    functionEnvironment,
    bundlerPlugins: [FORWARDED_COPY],
  });
  try {
    const rows: LargeImageRow[] = [];
    for (const image of served) {
      await writeFile(report, "");
      rows.push(await measure(rig, image, virtualGib, report));
    }
    return rows;
  } finally {
    await rig.stop();
  }
}

/** The real bundle and the program that runs it, without Node's TypeScript support, which is not part of the function. */
async function programsIn(directory: string, report: string): Promise<Record<string, string>> {
  const program = path.join(directory, "copy-process.mjs");
  const entry = fileURLToPath(new URL("copy-process.ts", import.meta.url));
  await bundleFunctions(path.join(directory, "bundles"));
  await build({ entryPoints: [entry], outfile: program, bundle: true, platform: "node", format: "esm" });
  const bundle = path.join(directory, "bundles", fileNameOf("CopyImageToVolume"), "index.mjs");
  return {
    [FORWARDED.bundle]: pathToFileURL(bundle).href,
    [FORWARDED.program]: program,
    [FORWARDED.report]: report,
  };
}

async function measure(
  rig: Rig,
  { format, image }: LargeImage,
  sizeGib: number,
  report: string,
): Promise<LargeImageRow> {
  const message = await rig.putRecord({ sizeGib, imageId: image.document.id });
  const milliseconds = await rig.create(message, LONGEST_CREATE_MS);
  const { status, fence, provider_location: location } = await rig.volumes.get(message.volume_id);
  if (status !== "available" || location === null || fence === null) {
    throw new Error(`the volume is ${status}`);
  }
  const turns = await answersIn(report);
  const { blocks } = await stat(location);
  const sum = (figureOf: (turn: InvocationAnswer) => number): number =>
    turns.reduce((total, turn) => total + figureOf(turn), 0);
  const checkpoints = sum(({ updates }) => updates);
  const writtenGib = (blocks * 512) / 2 ** 30;
  const steps = await stepsOf(rig, fence, checkpoints - USUAL_UPDATES * turns.length, writtenGib);
  const { cost, total } = priced(steps, prices);
  return {
    format,
    image_mebibytes: image.document.size / MEBIBYTE,
    seconds: milliseconds / 1000,
    copy_seconds: sum(({ seconds }) => seconds),
    copy_cpu_seconds: sum(({ cpu_seconds: seconds }) => seconds),
    peak_mebibytes: Math.max(...turns.map(({ peak_mebibytes: mebibytes }) => mebibytes)),
    turns: turns.length,
    checkpoints,
    state_transitions: total.state_transition,
    cost_usd: cost,
    allocated_mebibytes: writtenGib * 1024,
  };
}

async function answersIn(report: string): Promise<InvocationAnswer[]> {
  const lines = (await readFile(report, "utf8")).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as InvocationAnswer);
}

/** The receipt's steps, with two facts that a history lacks: the progress writes in between, and the amount of data. */
async function stepsOf(rig: Rig, execution: string, extraUpdates: number, writtenGib: number): Promise<Step[]> {
  const client = new SFNClient({});
  const executions = new SfnExecutions(client, rig.cloud.outputs["StateMachineArn"] ?? "");
  const events = (await executions.history(execution)) ?? [];
  client.destroy();
  const { dynamodb_write_unit: units = 0 } = REQUESTS.CopyImageToVolume ?? {};
  const kept = workOf({ dynamodb_write_unit: (extraUpdates * units) / USUAL_UPDATES, efs_written_gib: writtenGib });
  return [
    { step: "ScheduleVolume", times: 1, work: invocation("ScheduleVolume", SCHEDULING_MS) },
    ...stepsOfExecution(events),
    { step: "checkpoints and data", times: 1, work: kept },
  ];
}

type LargeImage = { format: "raw" | "qcow2"; image: Awaited<ReturnType<typeof imageServed>> };

async function imagesIn(directory: string, virtualGib: number): Promise<LargeImage[]> {
  const raw = path.join(directory, "image.raw");
  const qcow2 = path.join(directory, "image.qcow2");
  await writeMostlyEmpty(raw, virtualGib * 2 ** 30);
  const hasTools = await convertToQcow2(raw, qcow2);
  return [
    ...(hasTools ? [{ format: "qcow2" as const, image: await imageServed(qcow2, "qcow2", virtualGib * 2 ** 30) }] : []),
    { format: "raw", image: await imageServed(raw, "raw", virtualGib * 2 ** 30) },
  ];
}

async function writeMostlyEmpty(file: string, bytes: number): Promise<void> {
  const handle = await open(file, "wx");
  try {
    await handle.truncate(bytes);
    const data = Buffer.alloc(RUN_BYTES);
    for (let index = 0; index < RUNS; index += 1) {
      const at = Math.floor((index * bytes) / RUNS / RUN_BYTES) * RUN_BYTES;
      await handle.write(randomFillSync(data), 0, data.length, at);
    }
  } finally {
    await handle.close();
  }
}
