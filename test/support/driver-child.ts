import { appendFileSync, readFileSync } from "node:fs";
import { FileDriver } from "../../adapters/file/driver.ts";
import type { CopyProgress } from "../../core/records.ts";
import { aQcow2Image } from "./qcow2-writer.ts";
import { aVolume, imageSource, uuid } from "./drivers.ts";

/**
 * A process that works on a volume until it is killed: `driver-child.ts clone|staged DIRECTORY PROGRESS_FILE BYTES`.
 * `staged` is a qcow2 image of a service without ranged reads.
 *
 * It writes a line when it begins. Progress is saved as lines of JSON in the file; the last complete line is the record. Its time is always
 * short, so that it stops and continues at every opportunity.
 */
const [what, directory, progressFile, bytes] = process.argv.slice(2);
if (directory === undefined || progressFile === undefined) {
  throw new Error("usage: driver-child.ts clone|staged DIRECTORY PROGRESS_FILE BYTES");
}
const driver = new FileDriver("node@file", { directory });
const remainingTimeMs = (): number => 1_000;
const keep = (progress: unknown): void => appendFileSync(progressFile, `${JSON.stringify(progress)}\n`);
const kept = readFileSync(progressFile, "utf8").split("\n").at(-2);
let progress: unknown = kept === undefined ? null : JSON.parse(kept);

function imageOf(): ReturnType<typeof imageSource> | undefined {
  if (what === "clone") {
    return undefined;
  }
  const source = imageSource(aQcow2Image(Number(bytes)).file, { disk_format: "qcow2" });
  source.service.ranged = false;
  return source;
}

const image = imageOf();
process.stdout.write("working\n");

for (let done = false; !done;) {
  if (image === undefined) {
    const work = { checkpoint: progress as Record<string, string | number> | null, remainingTimeMs };
    const outcome = await driver.createClonedVolume(aVolume({ id: uuid(2) }), aVolume({ id: uuid(1) }), work);
    done = outcome.done;
    progress = outcome.checkpoint;
    keep(progress);
  } else {
    const save = async (state: Omit<CopyProgress, "updated_at">): Promise<void> => {
      progress = { ...state, updated_at: "2026-01-01T00:00:00.000Z" };
      keep(progress);
    };
    ({ done } = await driver.copyImageToVolume(aVolume(), image, {
      progress: progress as CopyProgress | null,
      remainingTimeMs,
      save,
    }));
  }
}
