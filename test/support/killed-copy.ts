import { appendFileSync, createReadStream, openSync, readFileSync, writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { FileDriver } from "../../adapters/file/driver.ts";
import type { ImageMeta, ImageService } from "../../core/drivers/driver-ports.ts";
import type { CopyProgress } from "../../core/records.ts";
import { aVolume } from "./drivers.ts";

/**
 * A process that copies an image and kills itself when it has written so many bytes: `killed-copy.ts ORDER`, in JSON.
 *
 * The record is a file of lines, the last one whole being what it holds; what is written goes into another one, a line for each write
 * before it is made, and a line for each save after it was.
 */
export type CopyOrder = {
  directory: string;
  record: string;
  log: string;
  image: { file: string; id: string; meta: ImageMeta };
  /** None when it may end. */
  killAfterBytes: number | null;
};

const order = JSON.parse(process.argv[2] ?? "{}") as CopyOrder;
const { image } = order;
const totalSize = image.meta.size ?? 0;
const log = openSync(order.log, "a");
let written = 0;
await watchWrites();

const driver = new FileDriver("node@file", { directory: order.directory });
let progress = lastProgress();
const service: ImageService = {
  show: async () => image.meta,
  getLocation: async () => ({ direct_url: null, locations: [] }),
  openRange: async (_imageId, from, { to } = {}) => ({
    body: createReadStream(image.file, { start: from, end: (to ?? totalSize) - 1, highWaterMark: 2 ** 20 }),
    tag: "",
    totalSize,
    ranged: true,
  }),
};
for (let done = false; !done;) {
  ({ done } = await driver.copyImageToVolume(
    aVolume(),
    { service, imageId: image.id, meta: image.meta },
    {
      progress,
      remainingTimeMs: () => 900_000,
      save: async (state) => {
        progress = { ...state, updated_at: "2026-01-01T00:00:00.000Z" };
        appendFileSync(order.record, `${JSON.stringify(progress)}\n`);
        writeSync(log, "save\n");
      },
    },
  ));
}

function lastProgress(): CopyProgress | null {
  const line = readFileSync(order.record, "utf8").split("\n").at(-2);
  return line === undefined ? null : (JSON.parse(line) as CopyProgress);
}

/** The writes of a copy are those of open files; marks and holders are written by path. */
async function watchWrites(): Promise<void> {
  const handle = await open(import.meta.filename);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const write = Reflect.get(prototype, "write") as (...parts: unknown[]) => Promise<unknown>;
  Object.assign(prototype, {
    write(this: FileHandle, buffer: Buffer, offset: number, length: number, position: number) {
      writeSync(log, `${position} ${length}\n`);
      written += length;
      if (order.killAfterBytes !== null && written >= order.killAfterBytes) {
        process.kill(process.pid, "SIGKILL");
      }
      return write.call(this, buffer, offset, length, position);
    },
  });
}
