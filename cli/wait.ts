import { attemptOf, type VolumeRecord } from "../core/records.ts";
import { CliError, explainError, Interrupted } from "./errors.ts";
import { createDisplay, follow, isAtWork, NO_DISPLAY } from "./follow.ts";
import { formatDuration, text } from "./format.ts";
import { answerRecord, type RecordOptions } from "./listing.ts";
import { faultStory, volumeDocument } from "./progress.ts";
import type { Session } from "./session.ts";
import { volumeColumns } from "./volume-columns.ts";

/** Options of the wait for a volume. */
export type WaitOptions = {
  timeoutMs?: number;
  /** Called when the create has succeeded; returns its record. */
  finish?: (id: string) => Promise<VolumeRecord>;
};

/**
 * Follows a volume until it comes to rest, and answers with its record.
 *
 * @throws CliError under the name of its fault when it ends in error, `WaitTimeout` when the time is up; Interrupted. The create continues
 * after the last two.
 */
export async function waitForVolume(
  session: Session,
  { id }: VolumeRecord,
  options: RecordOptions,
  { timeoutMs, finish }: WaitOptions = {},
): Promise<void> {
  const startedAt = session.clock.now().getTime();
  const spentMs = (): number => session.clock.now().getTime() - startedAt;
  const isQuiet = session.json || options.format !== undefined;
  const display = isQuiet ? NO_DISPLAY : createDisplay(session.stderr, session.clock, { alone: true });
  const isLate = (): boolean => timeoutMs !== undefined && spentMs() >= timeoutMs;
  const { volumes: read, interrupted } = await follow(
    session,
    await session.connection.volumes(),
    display,
    session.interruption(),
    async () => [id],
    (now) => isLate() || [...now.values()].every((volume) => !isAtWork(volume)),
  ).catch((error: unknown) => {
    throw lostSight(id, error);
  });
  const volume = read.get(id);
  if (interrupted && volume === undefined) {
    throw goesOn(id);
  }
  if (volume === undefined) {
    throw new CliError(`volume ${id} was deleted while it was being created`, { name: "VolumeNotFound" });
  }
  if (interrupted || isAtWork(volume)) {
    if (session.json) {
      await session.answer(volumeDocument(volume, session.clock.now()), () => "");
    }
    throw interrupted
      ? goesOn(id)
      : new CliError(`volume ${id} is still ${volume.status} after ${formatDuration(spentMs())}`, {
          name: "WaitTimeout",
          hint: `the create continues; \`cinderless watch ${id}\` follows it`,
        });
  }
  await answerAtRest(session, volume, options, spentMs(), finish);
}

async function answerAtRest(
  session: Session,
  volume: VolumeRecord,
  options: RecordOptions,
  spentMs: number,
  finish: WaitOptions["finish"],
): Promise<void> {
  const { id } = volume;
  const spent = formatDuration(spentMs);
  if (volume.fault !== null || volume.status === "error") {
    if (session.json) {
      await session.answer(volume, () => "");
    }
    const why = volume.fault === null ? "" : `: ${faultStory(volume.fault)}`;
    throw new CliError(`volume ${id} is in error after ${spent}${why}`, {
      name: volume.fault?.error ?? "Error",
      hint:
        volume.fault?.error === "NoValidBackend" && volume.fault.attempts.length === 0
          ? "cinderless backend list shows which backends are up; right after a deployment, cinderless backend list --wait waits for them"
          : `cinderless show ${id} prints every attempt`,
    });
  }
  const record = finish === undefined ? volume : await finish(id);
  await answerRecord(
    session,
    { row: record, columns: volumeColumns(() => undefined), document: record },
    options,
    () => `volume ${id} is ${record.status} on ${text(record.host)} after ${spent} (attempt ${attemptOf(record)})\n`,
  );
}

function goesOn(id: string): Interrupted {
  return new Interrupted(`volume ${id} is still being created; \`cinderless watch ${id}\` follows it`);
}

function lostSight(id: string, error: unknown): CliError {
  const { name, message } = explainError(error);
  return new CliError(`lost sight of volume ${id}: ${message}`, {
    name,
    hint: `it may still be created; cinderless watch ${id} follows it`,
    cause: error,
  });
}
