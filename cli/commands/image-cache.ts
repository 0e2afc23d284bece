import type { Command } from "commander";
import type { ImageCacheEntry } from "../../core/image-cache/image-cache.ts";
import { CliError, UsageError } from "../errors.ts";
import { formatTime, text } from "../format.ts";
import { addListOptions, answerList, type Column, type ListOptions } from "../listing.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";

const EVICT_EXAMPLES = `
Examples:
  $ cinderless image cache evict 0d6d1f6c-58a5-4a4b-8f0e-0a2ab6ab1c55
  $ cinderless image cache evict --all --json

The next sweep, within a minute, deletes evicted volumes. A volume that is being cloned is deleted by the first sweep after the clone.
`;

/** `image cache list|evict`: the images of which backends keep a volume. */
export function registerImageCache(image: Command, context: CliContext): void {
  const cache = image
    .command("cache")
    .helpCommand(false)
    .summary("list cached image volumes, and evict them")
    .description("The volumes that backends with image_volume_cache_enabled keep of images.");
  addListOptions(
    cache
      .command("list")
      .summary("list the cached images of all backends")
      .description("List the cached images of all backends, the last used first."),
    COLUMNS,
  )
    .addHelpText("after", "\nExamples:\n  $ cinderless image cache list\n  $ cinderless image cache list --json\n")
    .action(inSession(context, listCache));
  cache
    .command("evict")
    .summary("evict the cached volumes of images")
    .description("Evict the cached volumes of images. The next volume of such an image downloads it again.")
    .argument("[images...]", "ids of the images")
    .option("--all", "every cached image")
    .addHelpText("after", EVICT_EXAMPLES)
    .action(
      inSession(context, (session, images: string[], options: { all?: boolean }) =>
        evictImages(
          session,
          images.map((id) => id.toLowerCase()),
          options.all === true,
        ),
      ),
    );
}

async function entriesOf(session: Session): Promise<ImageCacheEntry[]> {
  const entries = await (await session.connection.imageCache()).list();
  return entries.toSorted((one, other) => (one.last_used_at < other.last_used_at ? 1 : -1));
}

const COLUMNS: Column<ImageCacheEntry>[] = [
  { title: "Image", value: ({ image_id }) => image_id, isKept: true },
  { title: "Host", value: ({ host }) => host },
  { title: "Size", value: ({ size }) => size, isRightAligned: true },
  { title: "State", value: ({ state }) => state },
  {
    title: "Last used",
    value: ({ last_used_at }) => last_used_at,
    text: ({ last_used_at }) => formatTime(last_used_at),
  },
  { title: "Volume", value: ({ volume_id }) => volume_id, isLong: true },
];

async function listCache(session: Session, options: ListOptions): Promise<void> {
  const rows = await entriesOf(session);
  const listing = { key: "image_cache", one: "cached image", many: "cached images", rows, columns: COLUMNS };
  await answerList(session, listing, options);
}

/** An entry that is being filled stays, because its create owns it. */
async function evictImages(session: Session, images: readonly string[], isAll: boolean): Promise<void> {
  if (isAll === images.length > 0) {
    throw new UsageError("name images, or --all", "`cinderless image cache list` shows them");
  }
  const entries = (await entriesOf(session)).filter(({ image_id: id }) => isAll || images.includes(id));
  const unknown = images.find((id) => !entries.some(({ image_id: of }) => of === id));
  if (unknown !== undefined) {
    throw new CliError(`image ${unknown} is not cached`, {
      name: "ImageNotCached",
      hint: "`cinderless image cache list` shows the cached images",
    });
  }
  const repository = await session.connection.imageCache();
  const evicted: ImageCacheEntry[] = [];
  for (const entry of entries) {
    if (await repository.beginEvict(entry.id, { fence: null, now: new Date() })) {
      evicted.push(entry);
    }
  }
  const kept = entries.filter((entry) => !evicted.includes(entry));
  const line = ({ image_id: id, host }: ImageCacheEntry): string => `${text(id)} on ${text(host)}`;
  await session.answer(
    { evicted, kept },
    async () =>
      [
        ...evicted.map((entry) => `evicted ${line(entry)}\n`),
        ...kept.map((entry) => `kept ${line(entry)}: it is being filled\n`),
      ].join("") || "no cached images\n",
  );
}
