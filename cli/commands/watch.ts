import type { Command } from "commander";
import { VolumeNotFound } from "../../core/errors.ts";
import type { VolumeRepository } from "../../core/ports.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { CliError, Interrupted, UsageError } from "../errors.ts";
import { createDisplay, follow, isAtWork, NO_DISPLAY } from "../follow.ts";
import { findVolumeIds } from "../names.ts";
import { volumeDocument } from "../progress.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";

const EXAMPLES = `
Examples:
  $ cinderless watch
  $ cinderless watch 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f
`;

/** `watch`: one line a volume, live. */
export function registerWatch(program: Command, context: CliContext): void {
  program
    .command("watch")
    .summary("watch volumes being created")
    .description(
      "Show one line a volume: state, attempt, progress. Named volumes are watched until each has come to rest; without names, every volume that is being created is shown, until Ctrl-C.",
    )
    .argument("[volumes...]", "ids or names of the volumes")
    .addHelpText("after", EXAMPLES)
    .action(
      inSession(context, (session, volumeIds: string[]) =>
        volumeIds.length === 0 ? watchFlow(session) : watchNamed(session, volumeIds),
      ),
    );
}

async function watchNamed(session: Session, volumeIds: readonly string[]): Promise<void> {
  const ids = await findVolumeIds(session, volumeIds);
  const volumes = await session.connection.volumes();
  const known = await volumes.getMany(ids);
  const unknown = ids.find((id) => !known.has(id));
  if (unknown !== undefined) {
    throw new VolumeNotFound(unknown);
  }
  const display = session.json ? NO_DISPLAY : createDisplay(session.stdout, session.clock);
  const isOver = (now: ReadonlyMap<string, VolumeRecord>) => [...now.values()].every((volume) => !isAtWork(volume));
  const { volumes: read, interrupted } = await follow(
    session,
    volumes,
    display,
    session.interruption(),
    async () => ids,
    isOver,
  );
  if (session.json) {
    const now = session.clock.now();
    await session.answer({ volumes: [...read.values()].map((volume) => volumeDocument(volume, now)) }, () => "");
  }
  if (interrupted) {
    throw stopped();
  }
  const failed = [...read.values()].filter((volume) => volume.status.startsWith("error"));
  if (failed.length > 0) {
    throw new CliError(`${failed.length} of ${ids.length} volumes in error: ${failed.map(({ id }) => id).join(", ")}`, {
      name: "VolumesInError",
      hint: "cinderless show ID prints every attempt",
    });
  }
}

/** Shows the volumes in the flow until Ctrl-C, and those that have just left it once more. */
async function watchFlow(session: Session): Promise<void> {
  if (session.json) {
    throw new UsageError(
      "watch --json needs the ids of the volumes",
      "without ids the output never ends, so it cannot be one document",
    );
  }
  const volumes = await session.connection.volumes();
  const display = createDisplay(session.stdout, session.clock, {
    idleText: "no volume is being created; Ctrl-C ends the watch",
  });
  const idsOf = async (last: ReadonlyMap<string, VolumeRecord>) => {
    const before = [...last.values()].filter(isAtWork).map(({ id }) => id);
    return [...new Set([...before, ...(await idsInFlow(volumes))])];
  };
  await follow(session, volumes, display, session.interruption(), idsOf, () => false);
  throw stopped();
}

const PAGE_SIZE = 100;
const MOST_VOLUMES = 1000;
/** Later than every deadline: the index of deadlines then returns all volumes in the flow, and costs nothing for all others. */
const END_OF_TIME = new Date("9999-12-31T23:59:59.999Z");

async function idsInFlow(volumes: Pick<VolumeRepository, "listOverdue">): Promise<string[]> {
  const ids: string[] = [];
  let from: string | undefined;
  do {
    const page = await volumes.listOverdue(END_OF_TIME, PAGE_SIZE, from);
    ids.push(...page.items.map(({ id }) => id));
    from = page.next;
  } while (from !== undefined && ids.length < MOST_VOLUMES);
  return ids;
}

function stopped(): Interrupted {
  return new Interrupted("no longer watching; the creates continue");
}
