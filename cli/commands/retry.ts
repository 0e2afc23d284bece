import type { Command } from "commander";
import type { RetryResult } from "../../core/dead-letters/retry-volume.ts";
import { buildCreateRequest, type CreateRequestInput } from "../../core/requests/create-request.ts";
import { InvalidVolume } from "../../core/errors.ts";
import type { CreateRequestMemo, VolumeRecord } from "../../core/records.ts";
import { mayBeOnBackend } from "../../core/volume-lifecycle.ts";
import { latestAttempt } from "../../core/dead-letters/requeue-volume.ts";
import { digestOf, idOfToken } from "../client-token.ts";
import { CliError, explainError, UsageError } from "../errors.ts";
import { addRecordOptions, type RecordOptions } from "../listing.ts";
import { findVolume } from "../names.ts";
import { parseTimeout } from "../options.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { submitOnce } from "./create.ts";
import { waitForVolume } from "../wait.ts";

type RetryOptions = RecordOptions & { wait?: boolean; timeout?: number; replace?: boolean };

const EXAMPLES = `
Examples:
  $ cinderless retry root
  $ cinderless retry root --wait --timeout 10m
  $ cinderless retry root --replace
`;

/** `retry`: repeats a failed create, as a new attempt of the same volume. */
export function registerRetry(program: Command, context: CliContext): void {
  const command = program
    .command("retry")
    .summary("repeat a failed create")
    .description(
      "Repeat the create of a volume in error, with the request on its record. The volume keeps its id and its attempts. " +
        "A volume that may exist on its backend is refused, because its data could remain there: --replace " +
        "creates another one from the same request, under another id, and then deletes the failed one with its " +
        "data on the backend.",
    )
    .argument("<volume>", "id or name of the volume")
    .option("--replace", "make another volume of the same request, then delete this one")
    .option("--wait", "show the progress, and end when the volume is available or in error")
    .option("--timeout <time>", "wait at most this long, for example 90s or 10m", parseTimeout);
  addRecordOptions(command).addHelpText("after", EXAMPLES).action(inSession(context, retry));
}

async function retry(session: Session, nameOrId: string, options: RetryOptions): Promise<void> {
  const { wait = false, timeout } = options;
  if (timeout !== undefined && !wait) {
    throw new UsageError("--timeout is for --wait");
  }
  const volume = await findVolume(session, nameOrId);
  if (options.replace === true) {
    await replace(session, volume, options);
    return;
  }
  const { volumeId, attempt } = await askAgain(session, volume.id).catch((error: unknown) => {
    const { name, message } = explainError(error);
    const isHeld = volume.status === "error" && mayBeOnBackend(volume);
    throw isHeld
      ? new CliError(message, { name, hint: `\`cinderless retry ${nameOrId} --replace\` does both` })
      : error;
  });
  if (wait) {
    await waitForVolume(session, volume, options, timeout === undefined ? {} : { timeoutMs: timeout });
    return;
  }
  await session.answer(
    { volume_id: volumeId, attempt },
    () =>
      `volume ${volumeId} is being created again as attempt ${attempt}; \`cinderless watch ${volumeId}\` follows it\n`,
  );
}

/**
 * Creates a volume from the failed one's request, then deletes the failed one. In this order an interruption never loses the request.
 *
 * Repeated: the id of the new volume follows from the failed one's and its last attempt, so a repeat finds it and deletes the rest.
 *
 * @throws InvalidVolume when the volume is not in error, keeps no request, or counts in its project's quota, which only the API may change
 */
async function replace(session: Session, volume: VolumeRecord, options: RetryOptions): Promise<void> {
  const { id, status, request, use_quota: isCounted } = volume;
  if (status !== "error" || request === undefined || isCounted === true) {
    const why =
      status !== "error"
        ? `is ${status}; only one in error can be replaced`
        : request === undefined
          ? "does not keep its request; create another volume"
          : "counts in its project's quota; delete it and create another through the Block Storage API";
    throw new InvalidVolume(`volume ${id} ${why}`);
  }
  const input = await inputOf(session, volume, request);
  const ids = {
    volumeId: idOfToken(volume.project_id, `replaces ${id}-a${latestAttempt(volume)}`),
    requestId: `req-${session.newId()}`,
  };
  const made = buildCreateRequest({ ...input, requestDigest: digestOf(input) }, session.clock.now(), ids);
  const record = await submitOnce(session, made);
  await (await session.connection.driverFunctions()).deleteVolume(id);
  if (options.wait === true) {
    await waitForVolume(session, record, options, options.timeout === undefined ? {} : { timeoutMs: options.timeout });
    return;
  }
  await session.answer(
    { volume_id: record.id, replaces: id },
    () => `volume ${record.id} replaces ${id}, which is deleted; \`cinderless watch ${record.id}\` follows it\n`,
  );
}

/** The volume's original request, with the present type. */
async function inputOf(
  { connection }: Session,
  volume: VolumeRecord,
  request: CreateRequestMemo,
): Promise<CreateRequestInput> {
  const { volume_type_id: typeId } = volume;
  return {
    sizeGib: volume.size,
    displayName: volume.display_name,
    displayDescription: volume.display_description,
    availabilityZone: request.availability_zone ?? null,
    metadata: volume.metadata,
    volumeType: typeId === null ? null : await (await connection.volumeTypes()).get(typeId),
    imageId: request.image_id ?? null,
    authSecret: request.auth_secret ?? null,
    snapshotId: volume.snapshot_id,
    sourceVolumeId: volume.source_volid,
    ...(request.scheduler_hints !== undefined && { schedulerHints: request.scheduler_hints }),
    projectId: volume.project_id,
    userId: volume.user_id,
  };
}

/** Requests a failed volume again. @throws Error with the reason of a refusal */
export async function askAgain(
  { connection, clock }: Pick<Session, "connection" | "clock">,
  volumeId: string,
): Promise<RetryResult> {
  const { retryVolume } = await import("../../core/dead-letters/retry-volume.ts");
  const deps = {
    volumes: await connection.volumes(),
    volumeTypes: await connection.volumeTypes(),
    backends: await connection.backends(),
    queue: await connection.schedulerQueue(),
    clock,
  };
  return retryVolume(deps, volumeId);
}
