import type { Command } from "commander";
import type { RetryResult } from "../../core/tasks/retry-volume.ts";
import { UsageError } from "../errors.ts";
import { addRecordOptions, type RecordOptions } from "../listing.ts";
import { findVolume } from "../names.ts";
import { parseTimeout } from "../options.ts";
import { withSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { waitForVolume } from "../wait.ts";

type RetryOptions = RecordOptions & { wait?: boolean; timeout?: number };

const EXAMPLES = `
Examples:
  $ cinderless retry root
  $ cinderless retry root --wait --timeout 10m
`;

/** `retry`: a failed create, as a new attempt of the same volume. */
export function registerRetry(program: Command, context: CliContext): void {
  const command = program
    .command("retry")
    .summary("ask for a failed volume again")
    .description(
      "Ask for a volume in error again, by the request that its record keeps. The volume keeps its id and its attempts. " +
        "A volume that its backend may hold is refused: delete it, and create another.",
    )
    .argument("<volume>", "id or name of the volume")
    .option("--wait", "show the progress, and end when the volume is available or in error")
    .option("--timeout <time>", "wait so long at most, as in 90s or 10m", parseTimeout);
  addRecordOptions(command)
    .addHelpText("after", EXAMPLES)
    .action((nameOrId: string, options: RetryOptions, self: Command) =>
      withSession(context, self, (session) => retry(session, nameOrId, options)),
    );
}

async function retry(session: Session, nameOrId: string, options: RetryOptions): Promise<void> {
  const { wait = false, timeout } = options;
  if (timeout !== undefined && !wait) {
    throw new UsageError("--timeout is for --wait");
  }
  const volume = await findVolume(session, nameOrId);
  const { volumeId, attempt } = await askAgain(session, volume.id);
  if (wait) {
    await waitForVolume(session, volume, options, timeout === undefined ? {} : { timeoutMs: timeout });
    return;
  }
  await session.answer(
    { volume_id: volumeId, attempt },
    () => `volume ${volumeId} is asked for again as attempt ${attempt}; \`cinderless watch ${volumeId}\` follows it\n`,
  );
}

/** Asks for a failed volume again. @throws Error with why it was refused */
export async function askAgain(
  { connection, clock }: Pick<Session, "connection" | "clock">,
  volumeId: string,
): Promise<RetryResult> {
  const { retryVolume } = await import("../../core/tasks/retry-volume.ts");
  const deps = {
    volumes: await connection.volumes(),
    volumeTypes: await connection.volumeTypes(),
    backends: await connection.backends(),
    queue: await connection.schedulerQueue(),
    clock,
  };
  return retryVolume(deps, volumeId);
}
