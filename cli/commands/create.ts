import { Option } from "commander";
import type { Command } from "commander";
import { validate as isUuid } from "uuid";
import { buildCreateRequest, DEFAULT_PROJECT_ID, DEFAULT_USER_ID } from "../../core/requests/create-request.ts";
import type { CreateRequest, CreateRequestInput } from "../../core/requests/create-request.ts";
import { describeError } from "../../core/errors.ts";
import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import { positionOfVolume } from "../../core/projects.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { digestOf, idOfToken } from "../client-token.ts";
import { CliError, UsageError } from "../errors.ts";
import { addRecordOptions, answerRecord, type RecordOptions } from "../listing.ts";
import { findImageId, findSnapshot, findType, findVolume } from "../names.ts";
import {
  collectKeyValue,
  isImageAddress,
  parseImageAddress,
  parseClientToken,
  parseName,
  parseSecretName,
  parseSize,
  parseTimeout,
} from "../options.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { volumeColumns } from "../volume-columns.ts";
import { waitForVolume } from "../wait.ts";

type CreateOptions = RecordOptions & {
  size?: number;
  name?: string;
  description?: string;
  image?: string;
  authSecret?: string;
  snapshot?: string;
  source?: string;
  sourceVolume?: string;
  type?: string;
  availabilityZone?: string;
  metadata?: Record<string, string>;
  property?: Record<string, string>;
  hint?: Record<string, string>;
  bootable?: boolean;
  clientToken?: string;
  project?: string;
  user?: string;
  wait?: boolean;
  timeout?: number;
};

const EXAMPLES = `
Examples:
  $ cinderless create scratch --size 1
  $ cinderless create root --size 10 --image debian --wait --timeout 10m
  $ cinderless create --size 10 --image https://glance.example:9292/v2/images/7f0c1b1e-3a52-4d6a-9a53-3a4a4ce2a1b7
  $ cinderless create --snapshot before-upgrade --type fast --property tier=gold
  $ cinderless create --source root --wait --json
  $ ID=$(cinderless create scratch --size 1 -f value -c ID --client-token job-17)
`;

/** `create`: puts the record, sends the cast and, with --wait, follows the create to its end. */
export function registerCreate(program: Command, context: CliContext): void {
  const command = program
    .command("create")
    .summary("create a volume")
    .description("Create a volume: empty, from an image, from a snapshot, or as a copy of another volume.")
    .argument("[name]", "name to show", parseName)
    .option("--size <GiB>", "size in GiB; by default that of the source", parseSize)
    .option("--name <name>", "the same as the argument", parseName)
    .option("--description <text>", "description to show", parseName)
    .addOption(
      sourceOption("--image <id|name|address>", "image to fill the volume with", [
        "snapshot",
        "source",
        "sourceVolume",
      ]),
    )
    .option(
      "--auth-secret <name>",
      "secret with your token for the image service, as in cinderless/tokens/me",
      parseSecretName,
    )
    .addOption(
      sourceOption("--snapshot <id|name>", "snapshot to create the volume from", ["image", "source", "sourceVolume"]),
    )
    .addOption(sourceOption("--source <id|name>", "volume to copy", ["image", "snapshot", "sourceVolume"]))
    .addOption(sourceOption("--source-volume <id|name>", "the same as --source", ["image", "snapshot", "source"]))
    .option("--type <name|id>", "volume type")
    .option("--availability-zone <zone>", "zone that the backend must be in")
    .option("--property <key=value>", "property of the volume; may be repeated", collectKeyValue)
    .option("--metadata <key=value>", "the same as --property", collectKeyValue)
    .option("--hint <key=value>", "hint for the scheduler; may be repeated", collectKeyValue)
    .option("--bootable", "mark the volume as bootable when it is available; waits until it is")
    .option(
      "--client-token <token>",
      "make the create idempotent: the same token names the same volume",
      parseClientToken,
    )
    .option("--project <id>", `project that owns the volume (default: the profile's, else ${DEFAULT_PROJECT_ID})`)
    .option("--user <id>", `user that asks for it (default: the profile's, else ${DEFAULT_USER_ID})`)
    .option("--wait", "show the progress, and end when the volume is available or in error")
    .option(
      "--timeout <time>",
      "wait at most this long, for example 90s or 10m; the create continues after that",
      parseTimeout,
    );
  addRecordOptions(command)
    .addHelpText("after", EXAMPLES)
    .action(
      inSession(context, (session, name: string | undefined, options: CreateOptions) =>
        create(session, named(name, options)),
      ),
    );
}

function sourceOption(flags: string, description: string, others: string[]): Option {
  return new Option(flags, description).conflicts(others);
}

/** The options, with the values of the argument and the aliases. */
function named(name: string | undefined, options: CreateOptions): CreateOptions {
  if (name !== undefined && options.name !== undefined) {
    throw new UsageError("the name is given twice: as an argument and by --name");
  }
  const source = options.source ?? options.sourceVolume;
  const properties = { ...options.metadata, ...options.property };
  return {
    ...options,
    ...(name === undefined ? {} : { name }),
    ...(source === undefined ? {} : { source }),
    property: properties,
  };
}

async function create(session: Session, options: CreateOptions): Promise<void> {
  const { clientToken: token, bootable = false, timeout } = options;
  const isWaiting = options.wait === true || bootable;
  if (timeout !== undefined && !isWaiting) {
    throw new UsageError("--timeout is for --wait");
  }
  const input = await completeInput(session, options);
  const request = buildCreateRequest(
    token === undefined ? input : { ...input, requestDigest: digestOf(input) },
    session.clock.now(),
    {
      volumeId: token === undefined ? session.newId() : idOfToken(input.projectId ?? "", token),
      requestId: `req-${session.newId()}`,
    },
  );
  const record = token === undefined ? await submit(session, request) : await submitOnce(session, request);
  if (isWaiting) {
    await waitForVolume(session, record, options, {
      ...(timeout === undefined ? {} : { timeoutMs: timeout }),
      ...(bootable && {
        finish: async (id: string) => (await session.connection.volumes()).changeDetails(id, { bootable }),
      }),
    });
    return;
  }
  const { id, size } = record;
  const columns = volumeColumns(() => input.volumeType?.name);
  await answerRecord(session, { row: record, columns, document: record }, options, () =>
    record === request.record
      ? `volume ${id} (${size} GiB) is being created; \`cinderless watch ${id}\` follows it\n`
      : `volume ${id} (${size} GiB) was created by this token before; it is ${record.status}\n`,
  );
}

/** The requested volume, with its type and source looked up, so that an impossible request fails before anything is created. */
async function completeInput(session: Session, options: CreateOptions): Promise<CreateRequestInput> {
  const volumeType = options.type === undefined ? null : await findType(session, options.type);
  const source = await findSource(session, options);
  const sizeGib = options.size ?? source.size;
  if (sizeGib === undefined) {
    throw new UsageError("--size is needed", "a size in GiB, as in --size 1");
  }
  if (source.size !== undefined && sizeGib < source.size) {
    throw new CliError(`a volume of ${sizeGib} GiB is too small: ${source.what} needs ${source.size} GiB`, {
      name: "InvalidInput",
    });
  }
  return {
    sizeGib,
    displayName: options.name ?? null,
    displayDescription: options.description ?? null,
    availabilityZone: options.availabilityZone ?? null,
    metadata: options.property ?? {},
    volumeType,
    imageId: source.imageId ?? null,
    authSecret: options.authSecret ?? null,
    snapshotId: source.snapshotId ?? null,
    sourceVolumeId: source.volumeId ?? null,
    ...(options.hint === undefined ? {} : { schedulerHints: options.hint }),
    projectId: options.project ?? session.defaults.project ?? DEFAULT_PROJECT_ID,
    userId: options.user ?? session.defaults.user ?? DEFAULT_USER_ID,
  };
}

/** The source of the volume, and the size that it needs in GiB, if that is known. */
type Source = { what?: string; size?: number; imageId?: string; snapshotId?: string; volumeId?: string };

async function findSource(session: Session, options: CreateOptions): Promise<Source> {
  if (options.snapshot !== undefined) {
    const { id, volume_size: size } = await findSnapshot(session, options.snapshot);
    return { what: `snapshot ${id}`, size, snapshotId: id };
  }
  if (options.source !== undefined) {
    const { id, size } = await findVolume(session, options.source);
    return { what: `volume ${id}`, size, volumeId: id };
  }
  return options.image === undefined ? {} : findImage(session, options.image);
}

/** An image of the bucket is looked up; an image of another service is used by its id or address. */
async function findImage(session: Session, reference: string): Promise<Source> {
  if (isImageAddress(reference)) {
    return { imageId: parseImageAddress(reference) };
  }
  const { connection } = session;
  if ((await connection.defaultImageService()) !== "bucket") {
    if (!isUuid(reference)) {
      throw new UsageError(`--image must be the id or the address of an image in Glance, not '${reference}'`);
    }
    return { imageId: reference.toLowerCase() };
  }
  const image = await (await connection.images()).get(await findImageId(session, reference));
  return { what: `image ${image.id}`, size: smallestSizeOfImage(image), imageId: image.id };
}

const GIB = 1024 ** 3;

function smallestSizeOfImage(image: ImageMeta): number {
  const bytes = Math.max(image.virtual_size ?? 0, image.size ?? 0);
  return Math.max(1, image.min_disk, Math.ceil(bytes / GIB));
}

/**
 * With a token: the volume of the first command with it. Its message may be lost, so it is sent again while no attempt owns the volume: the
 * scheduler accepts a repeated message.
 *
 * @throws CliError `IdempotentParameterMismatch` when the token was used for another request
 */
export async function submitOnce(session: Session, request: CreateRequest): Promise<VolumeRecord> {
  const volumes = await session.connection.volumes();
  const { id, request_digest: digest } = request.record;
  const found = (await volumes.getMany([id])).get(id);
  if (found === undefined) {
    return submit(session, request);
  }
  if (found.request_digest !== digest) {
    throw new CliError(`the client token was used for volume ${id} with another request`, {
      name: "IdempotentParameterMismatch",
      hint: `cinderless show ${id} shows that volume`,
    });
  }
  if (found.status === "creating" && found.fence === null) {
    await (await session.connection.schedulerQueue()).send(request.message);
  }
  return found;
}

/**
 * The entry in the project's list comes before the record: an entry without a record is skipped, and the audit removes it.
 * The record is written before the message is sent: a message that overtakes its record names a volume that does not exist. A message whose
 * answer was lost may still have arrived. If an attempt owns the volume by then, the create is in progress and nothing has failed.
 */
async function submit(session: Session, { record, message }: CreateRequest): Promise<VolumeRecord> {
  const queue = await session.connection.schedulerQueue();
  const [volumes, projects] = await Promise.all([session.connection.volumes(), session.connection.projects()]);
  await projects.enter({ ...positionOfVolume(record), name: record.display_name });
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
      return record;
    }
    const outcome =
      refusal === undefined ? "it is in error now" : `the sweep puts it in error after ${record.deadline}`;
    throw new CliError(
      `volume ${record.id} was recorded, but its message was not sent: ${name}: ${cause}; ${outcome}`,
      {
        name,
        hint: `cinderless delete ${record.id} removes it then`,
        cause: error,
      },
    );
  }
  return record;
}
