import { Option } from "commander";
import type { Command } from "commander";
import { validate as isUuid } from "uuid";
import { buildCreateRequest, DEFAULT_PROJECT_ID, DEFAULT_USER_ID } from "../../core/create-request.ts";
import type { CreateRequest, CreateRequestInput } from "../../core/create-request.ts";
import { describeError } from "../../core/errors.ts";
import type { ImageMeta } from "../../core/driver-ports.ts";
import { attemptOf, type VolumeRecord, type VolumeTypeRecord } from "../../core/records.ts";
import { CliError, explainError, Interrupted, UsageError } from "../errors.ts";
import { createDisplay, follow, isAtWork, NO_DISPLAY } from "../follow.ts";
import { formatDuration, text } from "../format.ts";
import {
  collectKeyValue,
  parseImageReference,
  parseName,
  parseSecretName,
  parseSize,
  parseUuidOption,
} from "../options.ts";
import { faultStory, volumeDocument } from "../progress.ts";
import { withSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";

type CreateOptions = {
  size?: number;
  name?: string;
  description?: string;
  image?: string;
  authSecret?: string;
  snapshot?: string;
  sourceVolume?: string;
  type?: string;
  availabilityZone?: string;
  metadata?: Record<string, string>;
  project: string;
  user: string;
  wait?: boolean;
};

const EXAMPLES = `
Examples:
  $ cinderless create --size 1 --name scratch
  $ cinderless create --size 10 --image 7f0c1b1e-3a52-4d6a-9a53-3a4a4ce2a1b7 --wait
  $ cinderless create --size 10 --image https://glance.example:9292/v2/images/7f0c1b1e-3a52-4d6a-9a53-3a4a4ce2a1b7
  $ cinderless create --snapshot 0d6d1f6c-58a5-4a4b-8f0e-0a2ab6ab1c55 --type fast --metadata tier=gold
  $ cinderless create --source-volume 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f --wait --json
`;

/** `create`: puts the record, sends the cast and, with --wait, follows the volume to its end. */
export function registerCreate(program: Command, context: CliContext): void {
  program
    .command("create")
    .summary("create a volume")
    .description("Create a volume: empty, from an image, from a snapshot, or as a copy of another volume.")
    .option("--size <GiB>", "size in GiB; by default that of the source", parseSize)
    .option("--name <name>", "name to show", parseName)
    .option("--description <text>", "description to show", parseName)
    .addOption(
      sourceOption("--image <id|address>", "image to fill the volume with", ["snapshot", "sourceVolume"]).argParser(
        parseImageReference,
      ),
    )
    .option(
      "--auth-secret <name>",
      "secret with your token for the image service, as in cinderless/tokens/me",
      parseSecretName,
    )
    .addOption(
      sourceOption("--snapshot <id>", "snapshot to create the volume from", ["image", "sourceVolume"]).argParser(
        parseUuidOption,
      ),
    )
    .addOption(sourceOption("--source-volume <id>", "volume to copy", ["image", "snapshot"]).argParser(parseUuidOption))
    .option("--type <name|id>", "volume type")
    .option("--availability-zone <zone>", "zone that the backend must be in")
    .option("--metadata <key=value>", "metadata of the volume; may be repeated", collectKeyValue)
    .option("--project <id>", "project that owns the volume", DEFAULT_PROJECT_ID)
    .option("--user <id>", "user that asks for it", DEFAULT_USER_ID)
    .option("--wait", "show the progress, and end when the volume is available or in error")
    .addHelpText("after", EXAMPLES)
    .action((options: CreateOptions, command: Command) =>
      withSession(context, command, (session) => create(session, options)),
    );
}

function sourceOption(flags: string, description: string, others: string[]): Option {
  return new Option(flags, description).conflicts(others);
}

async function create(session: Session, options: CreateOptions): Promise<void> {
  const input = await completeInput(session, options);
  const request = buildCreateRequest(input, session.clock.now(), {
    volumeId: session.newId(),
    requestId: `req-${session.newId()}`,
  });
  await submit(session, request);
  if (options.wait === true) {
    await waitFor(session, request.record);
    return;
  }
  const { id, size } = request.record;
  await session.answer(
    request.record,
    () => `volume ${id} (${size} GiB) is being created; \`cinderless watch ${id}\` follows it\n`,
  );
}

/** What was asked for, with type and source looked up, so that what cannot work is told before anything is made. */
async function completeInput(session: Session, options: CreateOptions): Promise<CreateRequestInput> {
  const volumeType = options.type === undefined ? null : await findType(session, options.type);
  const source = await smallestSize(session, options);
  const sizeGib = options.size ?? source?.size;
  if (sizeGib === undefined) {
    throw new UsageError("--size is needed", "a size in GiB, as in --size 1");
  }
  if (source !== undefined && sizeGib < source.size) {
    throw new CliError(`a volume of ${sizeGib} GiB is too small: ${source.what} needs ${source.size} GiB`, {
      name: "InvalidInput",
    });
  }
  return {
    sizeGib,
    displayName: options.name ?? null,
    displayDescription: options.description ?? null,
    availabilityZone: options.availabilityZone ?? null,
    metadata: options.metadata ?? {},
    volumeType,
    imageId: options.image ?? null,
    authSecret: options.authSecret ?? null,
    snapshotId: options.snapshot ?? null,
    sourceVolumeId: options.sourceVolume ?? null,
    projectId: options.project,
    userId: options.user,
  };
}

/** A type by its id, or by its name; a name may look like an id. */
async function findType(session: Session, nameOrId: string): Promise<VolumeTypeRecord> {
  const types = await session.connection.volumeTypes();
  if (isUuid(nameOrId)) {
    try {
      return await types.get(nameOrId.toLowerCase());
    } catch (error) {
      if (describeError(error).name !== "VolumeTypeNotFound") {
        throw error;
      }
    }
  }
  return types.getByName(nameOrId);
}

/** The size that the source needs, in GiB; undefined without one, and for an image of another image service. */
async function smallestSize(
  session: Session,
  options: CreateOptions,
): Promise<{ what: string; size: number } | undefined> {
  const { connection } = session;
  if (options.snapshot !== undefined) {
    const snapshot = await (await connection.snapshots()).get(options.snapshot);
    return { what: `snapshot ${snapshot.id}`, size: snapshot.volume_size };
  }
  if (options.sourceVolume !== undefined) {
    const source = await (await connection.volumes()).get(options.sourceVolume);
    return { what: `volume ${source.id}`, size: source.size };
  }
  if (options.image !== undefined && isUuid(options.image)) {
    if ((await connection.defaultImageService()) !== "bucket") {
      return undefined;
    }
    const image = await (await connection.images()).get(options.image);
    return { what: `image ${image.id}`, size: smallestSizeOfImage(image) };
  }
  return undefined;
}

const GIB = 1024 ** 3;

function smallestSizeOfImage(image: ImageMeta): number {
  const bytes = Math.max(image.virtual_size ?? 0, image.size ?? 0);
  return Math.max(1, image.min_disk, Math.ceil(bytes / GIB));
}

/**
 * Record first, message second: a message that overtakes its record names a volume that does not exist. A message whose answer
 * was lost may have arrived all the same: a volume that an attempt owns by then is being created, and nothing has failed.
 */
async function submit(session: Session, { record, message }: CreateRequest): Promise<void> {
  const queue = await session.connection.schedulerQueue();
  const volumes = await session.connection.volumes();
  await volumes.create(record);
  try {
    await queue.send(message);
  } catch (error) {
    const { name, message: cause } = describeError(error);
    const at = session.clock.now().toISOString();
    const fault = { error: name, cause, attempt: 0, at, attempts: [] };
    const refusal = await volumes.markUnschedulable(record.id, null, fault).then(
      () => undefined,
      (thrown: unknown) => describeError(thrown).name,
    );
    if (refusal === "FenceLost") {
      return;
    }
    const outcome =
      refusal === undefined ? "it is in error now" : `it ends in error by itself after ${record.deadline}`;
    throw new CliError(`volume ${record.id} was recorded, but not asked for: ${name}: ${cause}; ${outcome}`, {
      name,
      hint: `cinderless delete ${record.id} removes it then`,
      cause: error,
    });
  }
}

async function waitFor(session: Session, record: VolumeRecord): Promise<void> {
  const { id } = record;
  const startedAt = session.clock.now().getTime();
  const volumes = await session.connection.volumes();
  const display = session.json ? NO_DISPLAY : createDisplay(session.stderr, session.clock, { alone: true });
  const { volumes: read, interrupted } = await follow(
    session,
    volumes,
    display,
    session.interruption(),
    async () => [id],
    (now) => [...now.values()].every((volume) => !isAtWork(volume)),
  ).catch((error: unknown) => {
    throw lostSight(id, error);
  });
  if (interrupted) {
    const last = read.get(id);
    if (session.json && last !== undefined) {
      await session.answer(volumeDocument(last, session.clock.now()), () => "");
    }
    throw new Interrupted(`volume ${id} goes on being created; \`cinderless watch ${id}\` follows it`);
  }
  const volume = read.get(id);
  if (volume === undefined) {
    throw new CliError(`volume ${id} was deleted while it was being created`, {
      name: "VolumeNotFound",
    });
  }
  const spent = formatDuration(session.clock.now().getTime() - startedAt);
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
          : `cinderless show ${id} tells every attempt`,
    });
  }
  await session.answer(
    volume,
    () => `volume ${id} is ${volume.status} on ${text(volume.host)} after ${spent} (attempt ${attemptOf(volume)})\n`,
  );
}

function lostSight(id: string, error: unknown): CliError {
  const { name, message } = explainError(error);
  return new CliError(`lost sight of volume ${id}: ${message}`, {
    name,
    hint: `it may go on being created; cinderless watch ${id} follows it`,
    cause: error,
  });
}
