import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describeError } from "../../core/errors.ts";
import { type BucketFlow, startBucketFlow } from "./images/bucket-flow.ts";
import { sha256OfVolume, wrongContent } from "./images/content.ts";
import { type CorpusImage, readCorpus, readImage } from "./images/corpus.ts";
import type { ChildAnswer, ChildOrder } from "./images/function-child.ts";

/** Bounds of one image, however hostile; the time is the processor's. */
const MAX_MILLISECONDS = 5_000;
const MAX_MEBIBYTES = 256;

/** A process that hangs is ended, and counted as one that took too long. */
const CHILD_TIMEOUT_MS = 60_000;

/** Formats that are read here; an image of another one that Cinder takes must be refused for that reason. */
const READABLE = ["raw", "qcow2"];
const EXTENDED_L2_RULE = "Q-EXTL2";

const CHILD = path.join(import.meta.dirname, "images", "function-child.ts");
const run = promisify(execFile);

/** How one image fared: what differs from what is expected of it, or nothing. */
export type ImageResult = {
  file: string;
  expected: string;
  outcome: string;
  differences: string[];
  flow_milliseconds: number;
  copy_milliseconds: number;
  check_milliseconds: number;
  peak_mebibytes: number;
};

/**
 * Runs every image of a corpus: through the whole flow in the embedded cloud, as an image of the bucket service; through the driver
 * alone, in a process whose memory and time are measured; and as a local file.
 *
 * @param only runs those whose file name contains it
 * @throws when the corpus cannot be read
 */
export async function runImages(
  directory: string,
  only: string | undefined,
  onResult: (result: ImageResult) => void = () => {},
): Promise<ImageResult[]> {
  const corpus = (await readCorpus(directory)).filter(({ file }) => only === undefined || file.includes(only));
  const flow = await startBucketFlow();
  const results: ImageResult[] = [];
  try {
    for (const image of corpus) {
      const result = await runImage(flow, image, await readImage(directory, image));
      results.push(result);
      onResult(result);
    }
  } finally {
    await flow.stop();
  }
  return results;
}

/** `ok` or `DIFFERENT`, and why, in one line. */
export function imageLine({ file, outcome, differences, ...measured }: ImageResult): string {
  const times = `flow ${measured.flow_milliseconds} ms, copy ${measured.copy_milliseconds} ms, ${measured.peak_mebibytes} MiB`;
  const verdict = differences.length === 0 ? "ok" : `DIFFERENT: ${differences.join("; ")}`;
  return `${file}: ${verdict} (${outcome}; ${times})`;
}

async function runImage(flow: BucketFlow, image: CorpusImage, bytes: Buffer): Promise<ImageResult> {
  const file = path.join(flow.directory, "image");
  await writeFile(file, bytes);
  const imageId = await flow.put(bytes, image.disk_format);
  const asked = { image, file, imageId };
  const whole = await runFlow(flow, asked);
  const copied = await runCopy(flow, asked, image.min_volume_gb, false);
  const checked = await runChild(flow, orderOf(flow, asked, { what: "file" }));
  const differences = [
    ...whole.differences.map((each) => `flow: ${each}`),
    ...copied.differences.map((each) => `driver: ${each}`),
    ...differencesOf(image, checked, undefined).map((each) => `file: ${each}`),
    ...[copied.answer, checked].flatMap(outOfBounds),
    ...(await extraRuns(flow, asked)),
  ];
  return {
    file: image.file,
    expected: image.verdict,
    outcome: whole.outcome,
    differences,
    flow_milliseconds: whole.milliseconds,
    copy_milliseconds: copied.answer.milliseconds,
    check_milliseconds: checked.milliseconds,
    peak_mebibytes: Math.max(copied.answer.peakMebibytes, checked.peakMebibytes),
  };
}

type Asked = { image: CorpusImage; file: string; imageId: string };

/** The least that a verdict is made of. */
type Verdict = { error: string | null; message: string };

async function runFlow(flow: BucketFlow, { image, imageId }: Asked) {
  const { volume, milliseconds } = await flow.create(imageId, image.min_volume_gb);
  const verdict = { error: volume.fault?.error ?? null, message: volume.fault?.cause ?? "" };
  const isThere = volume.status === "available" && volume.provider_location !== null;
  const wrong = isThere ? await wrongVolume(volume.provider_location ?? "", image) : undefined;
  if (isThere) {
    await rm(volume.provider_location ?? "", { force: true });
  }
  const outcome = verdict.error === null ? volume.status : `${verdict.error}: ${shortened(verdict.message)}`;
  return { milliseconds, outcome, differences: differencesOf(image, verdict, wrong) };
}

async function runCopy(flow: BucketFlow, asked: Asked, volumeGib: number, allowExtendedL2: boolean) {
  const order = orderOf(flow, asked, { what: "volume", volumeGib, allowExtendedL2 });
  await mkdir(order.directory, { recursive: true });
  const answer = await runChild(flow, order);
  const volume = path.join(order.directory, `volume-${order.volumeId}`);
  const wrong = answer.error === null ? await wrongVolume(volume, asked.image) : undefined;
  await rm(order.directory, { recursive: true, force: true });
  return { answer, wrong, differences: differencesOf(asked.image, answer, wrong) };
}

/** With extended L2 allowed the content counts; and a volume that is a GiB too small must be refused. */
async function extraRuns(flow: BucketFlow, asked: Asked): Promise<string[]> {
  const { image } = asked;
  const differences: string[] = [];
  if (image.rule === EXTENDED_L2_RULE && image.verdict === "accept") {
    const { answer, wrong } = await runCopy(flow, asked, image.min_volume_gb, true);
    const difference = answer.error === null ? wrong : `refused, ${answer.error}`;
    if (difference !== undefined) {
      differences.push(`with extended L2 allowed: ${difference}`);
    }
  }
  if (image.verdict === "accept" && image.min_volume_gb > 1) {
    const { answer } = await runCopy(flow, asked, image.min_volume_gb - 1, false);
    if (answer.error !== "ImageUnacceptable") {
      differences.push(`in a volume of ${image.min_volume_gb - 1} GiB: ${answer.error ?? "accepted"}`);
    }
  }
  return differences;
}

function orderOf(flow: BucketFlow, { image, file, imageId }: Asked, parts: Partial<ChildOrder>): ChildOrder {
  return {
    what: "file",
    file,
    diskFormat: image.disk_format,
    allowExtendedL2: false,
    bucket: flow.bucket,
    imageId,
    directory: path.join(flow.directory, "volumes"),
    volumeId: randomUUID(),
    volumeGib: image.min_volume_gb,
    ...parts,
  };
}

async function runChild(flow: BucketFlow, order: ChildOrder): Promise<ChildAnswer> {
  try {
    const { stdout } = await run(process.execPath, [CHILD, JSON.stringify(order)], {
      env: { ...process.env, ...flow.environment },
      timeout: CHILD_TIMEOUT_MS,
    });
    return JSON.parse(stdout) as ChildAnswer;
  } catch (error) {
    return { error: "Crash", message: describeError(error).message, milliseconds: 0, peakMebibytes: 0 };
  }
}

function outOfBounds({ milliseconds, peakMebibytes }: ChildAnswer): string[] {
  return [
    ...(milliseconds > MAX_MILLISECONDS ? [`took ${milliseconds} ms`] : []),
    ...(peakMebibytes > MAX_MEBIBYTES ? [`took ${peakMebibytes} MiB of memory`] : []),
  ];
}

/** An image that was refused but may be taken has its own content. */
async function wrongVolume(volume: string, image: CorpusImage): Promise<string | undefined> {
  if (image.verdict === "accept") {
    return wrongContent(volume, image);
  }
  const found = await sha256OfVolume(volume, image.virtual_size ?? 0);
  return found === image.may_accept_as_sha256 ? undefined : "accepted";
}

/** Differences between the verdict and the expected one. */
function differencesOf(image: CorpusImage, { error, message }: Verdict, wrong: string | undefined): string[] {
  if (error === null) {
    if (wrong !== undefined) {
      return [wrong];
    }
    return image.verdict === "accept" || image.may_accept_as_sha256 !== undefined ? [] : ["accepted"];
  }
  const what = `${error}: ${shortened(message)}`;
  if (image.verdict === "refuse") {
    return error === (image.error ?? "ImageUnacceptable") ? [] : [`${what}, not ${image.error ?? "ImageUnacceptable"}`];
  }
  const isByPolicy = image.rule === EXTENDED_L2_RULE && /extended L2/.test(message);
  const isByFormat = !READABLE.includes(image.actual_format) && /not supported/.test(message);
  return error === "ImageUnacceptable" && (isByPolicy || isByFormat) ? [] : [`refused, ${what}`];
}

function shortened(text: string): string {
  return text.replace(/Image \S+ is unacceptable: /, "").slice(0, 160);
}
