import { basename } from "node:path";
import type { Command } from "commander";
import { BytesLeft } from "../../adapters/s3/bytes-left.ts";
import { DEFAULT_PROJECT_ID } from "../../core/requests/create-request.ts";
import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import { Interrupted } from "../errors.ts";
import { formatBytes, text } from "../format.ts";
import { collectKeyValue, parseMinDisk, parseName, parseUuidOption } from "../options.ts";
import {
  addListOptions,
  addRecordOptions,
  answerList,
  answerRecord,
  type Column,
  type ListOptions,
  type RecordOptions,
} from "../listing.ts";
import { findImageId } from "../names.ts";
import { createMeter, percentOf, renderBar, renderReading } from "../progress.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { styleOfStatus } from "../terminal.ts";
import type { Output } from "../terminal.ts";
import { deleteEach } from "./delete.ts";
import { registerImageCache } from "./image-cache.ts";
import { registerImageCheck } from "./image-check.ts";

type AddOptions = RecordOptions & {
  name?: string;
  minDisk: number;
  property?: Record<string, string>;
  public?: boolean;
  id?: string;
  project?: string;
};

const ADD_EXAMPLES = `
Examples:
  $ cinderless image add disk.raw --name debian --property os_distro=debian
  $ cinderless image add disk.qcow2 --public --min-disk 4 --json
`;

/** `image add|cache|check|list|delete`: the bucket of images, and files that could become one. */
export function registerImage(program: Command, context: CliContext): void {
  const image = program
    .command("image")
    .helpCommand(false)
    .summary("add, check, list and delete images")
    .description("Raw and qcow2 images in the images bucket.");
  const add = image
    .command("add")
    .summary("put a raw or qcow2 disk image into the bucket")
    .description("Check a raw or qcow2 disk image, and put it into the bucket with its checksums and properties.")
    .argument("<path>", "file of the image")
    .option("--name <name>", "name to show; by default the file's name", parseName)
    .option("--min-disk <GiB>", "size of the smallest volume for the image", parseMinDisk, 0)
    .option("--property <key=value>", "property of the image; may be repeated", collectKeyValue)
    .option("--public", "let every project use it")
    .option("--id <uuid>", "id of the image; by default a new one", parseUuidOption)
    .option("--project <id>", `project that owns the image (default: the profile's, else ${DEFAULT_PROJECT_ID})`);
  addRecordOptions(add).addHelpText("after", ADD_EXAMPLES).action(inSession(context, addImage));
  registerImageCheck(image, context);
  registerImageCache(image, context);
  addListOptions(image.command("list").summary("list images").description("List the images of the bucket."), COLUMNS)
    .addHelpText("after", "\nExamples:\n  $ cinderless image list\n  $ cinderless image list --json\n")
    .action(inSession(context, listImages));
  image
    .command("delete")
    .summary("delete images")
    .description("Delete images. Volumes that were created from them are not affected.")
    .argument("<images...>", "ids or names of the images")
    .addHelpText("after", "\nExamples:\n  $ cinderless image delete debian\n")
    .action(
      inSession(context, async (session, imageIds: string[]) => {
        const ids: string[] = [];
        for (const nameOrId of imageIds) {
          ids.push(await findImageId(session, nameOrId));
        }
        await deleteEach(session, ids, "image", async (id) => {
          await (await session.connection.images()).delete(id);
          return "deleted";
        });
      }),
    );
}

async function addImage(session: Session, path: string, options: AddOptions): Promise<void> {
  const images = await session.connection.images();
  const progress =
    session.json || options.format !== undefined
      ? { report: () => {}, end: () => {} }
      : await createUploadProgress(session.stderr, session.clock);
  const id = options.id ?? session.newId();
  const signal = session.interruption();
  try {
    const meta = await images.add(
      {
        id,
        path,
        name: options.name ?? basename(path),
        minDisk: options.minDisk,
        properties: options.property ?? {},
        visibility: options.public === true ? "public" : "private",
        owner: options.project ?? session.defaults.project ?? DEFAULT_PROJECT_ID,
      },
      progress.report,
      signal,
    );
    progress.end();
    await answerRecord(
      session,
      { row: meta, columns: COLUMNS, document: meta },
      options,
      () => `image ${meta.id} (${text(meta.name)}, ${formatBytes(meta.size ?? 0)}) is ${meta.status}\n`,
    );
  } catch (error) {
    progress.end();
    if (!signal.aborted) {
      throw error;
    }
    throw new Interrupted(error instanceof BytesLeft ? error.message : `image ${id} was not added`);
  }
}

/** The work after the last byte: the bucket joins the parts to an object, then the document with the checksums is written. */
const FINISHING = "finishing: joining the parts, writing checksums and properties";

/** A bar on a terminal; elsewhere a line at every quarter. */
async function createUploadProgress(output: Output, clock: CliContext["clock"]) {
  const meter = createMeter();
  const area = output.isTty ? await output.live() : undefined;
  let lastQuarter = -1;
  return {
    report: (bytesDone: number, bytesTotal: number): void => {
      const reading = meter.read(bytesDone, bytesTotal, clock.now().getTime());
      const fraction = reading.fraction ?? 0;
      const next = bytesDone >= bytesTotal ? `  ${FINISHING}` : "";
      if (area !== undefined) {
        area.update(`adding  ${renderBar(fraction, 20)}  ${renderReading(reading)}${next}`);
        return;
      }
      const quarter = Math.floor(percentOf(fraction) / 25);
      if (quarter !== lastQuarter) {
        lastQuarter = quarter;
        output.write(`adding  ${renderReading(reading)}${next}\n`);
      }
    },
    end: () => area?.end(false),
  };
}

const COLUMNS: Column<ImageMeta>[] = [
  { title: "ID", value: ({ id }) => id, isKept: true },
  { title: "Name", value: ({ name }) => name },
  { title: "Status", value: ({ status }) => status, style: ({ status }) => styleOfStatus(status) },
  { title: "Format", value: ({ disk_format }) => disk_format },
  {
    title: "Size",
    value: ({ size }) => size,
    text: ({ size }) => (size === null ? "-" : formatBytes(size)),
    isRightAligned: true,
  },
  { title: "Min Disk", value: ({ min_disk }) => min_disk, isRightAligned: true, isLong: true },
  { title: "Visibility", value: ({ visibility }) => visibility },
  { title: "Owner", value: ({ owner }) => owner, isLong: true },
];

async function listImages(session: Session, options: ListOptions): Promise<void> {
  const rows = await (await session.connection.images()).list();
  await answerList(session, { key: "images", one: "image", many: "images", rows, columns: COLUMNS }, options);
}
