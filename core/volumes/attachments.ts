import { InvalidInput, InvalidVolume, InvalidVolumeAttachMode } from "../errors.ts";
import type { AttachmentChange, VolumeRepository } from "../ports.ts";
import type { AttachStatus, ConnectionInfo, VolumeAttachment, VolumeRecord, VolumeStatus } from "../records.ts";

/**
 * The attach state machine (`cinder/volume/api.py` and `manager.py`): the users of a volume, and its status. Attachments are a map on the
 * volume's record, so a change of one and of the volume's status are one conditional write.
 *
 *   available ──reserve──> attaching ──attach──> in-use ──begin detaching──> detaching ──detach──> available
 *       │                                         ^  ^                           │
 *       └──attachment──> reserved ──connector──> attaching                       └──roll detaching──> in-use
 *
 * A step that dies half-way leaves the state of the step before it: each is one write. A volume in `attaching`, `reserved` or `detaching`
 * stays so until the caller continues or reverts it, as in Cinder; no deadline ends it, because only the caller knows whether the volume is
 * used.
 */

/** Decides by the record what becomes of it. Undefined: nothing is to be done. */
export type Decide = (volume: VolumeRecord) => AttachmentChange | undefined;

/** How often a change is decided again because another one was faster. */
const ROUNDS = 10;

/** Attachments of one volume: a live migration has two. */
const MOST_ATTACHMENTS = 8;

/**
 * Makes a change of a volume's attachments by one conditional write. Decided again on the record as it is when another change was faster.
 *
 * Repeated, also after a lost answer: `decide` sees what the first call did.
 * Late: `decide` sees the record as it is then.
 *
 * @throws InvalidVolume, VolumeNotFound, what `decide` throws
 */
export async function changeAttachments(
  volumes: Pick<VolumeRepository, "get" | "changeAttachments">,
  asRead: VolumeRecord,
  decide: Decide,
): Promise<VolumeRecord> {
  let volume = asRead;
  for (let round = 0; round < ROUNDS; round += 1) {
    const change = decide(volume);
    if (change === undefined) {
      return volume;
    }
    const changed = await volumes.changeAttachments(volume, change);
    if (changed !== undefined) {
      return changed;
    }
    volume = await volumes.get(volume.id);
  }
  throw new InvalidVolume(`volume ${volume.id} was changed by others ${ROUNDS} times; try again`);
}

/** Attachments of a volume by id. */
export function attachmentsOf({ attachments }: VolumeRecord): Readonly<Record<string, VolumeAttachment>> {
  return attachments ?? {};
}

/** Statuses that follow from attachments. Other writers set every other status. */
const STATUSES_OF_ATTACHMENTS: readonly VolumeStatus[] = ["available", "reserved", "attaching", "in-use", "detaching"];

/** Status of a volume with these attachments, after a detachment (`attachment_delete` of cinder/volume/api.py). */
function restOf(attachments: Readonly<Record<string, VolumeAttachment>>): [VolumeStatus, AttachStatus] {
  const statuses = Object.values(attachments).map(({ attach_status: status }) => status);
  if (statuses.includes("attached")) {
    return ["in-use", "attached"];
  }
  if (statuses.includes("attaching")) {
    return ["attaching", "attaching"];
  }
  return statuses.includes("reserved") ? ["reserved", "reserved"] : ["available", "detached"];
}

/** `reserve_volume`: for one caller only, so a repeated request is refused. */
export const reserve: Decide = ({ status }) => {
  if (status !== "available") {
    throw new InvalidVolume(`Volume status must be available to reserve, but the status is ${status}.`);
  }
  return { status: "attaching" };
};

/** `unreserve_volume`; nothing happens to a volume that is not reserved. */
export const unreserve: Decide = (volume) =>
  volume.status === "attaching" ? { status: isUsed(volume) ? "in-use" : "available" } : undefined;

function isUsed(volume: VolumeRecord): boolean {
  return Object.values(attachmentsOf(volume)).some(({ attach_status: status }) => status === "attached");
}

/** `begin_detaching` */
export const beginDetaching: Decide = ({ status, attach_status: attached }) => {
  if (status !== "in-use" || attached !== "attached") {
    throw new InvalidVolume(
      "Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach.",
    );
  }
  return { status: "detaching" };
};

/** `roll_detaching`; nothing happens to a volume that is not being detached. */
export const rollDetaching: Decide = ({ status }) => (status === "detaching" ? { status: "in-use" } : undefined);

/** The host that attaches a volume, and its mode. */
export type AttachRequest = {
  attachmentId: string;
  instanceUuid: string | null;
  hostName: string | null;
  mountpoint: string;
  mode: string;
  at: Date;
};

/** `attach_volume`: the volume is in use. Repeated for the same instance or host: the attachment that is there. */
export function attach(request: AttachRequest): Decide {
  const { attachmentId, instanceUuid, hostName, mountpoint, mode, at } = request;
  return (volume) => {
    requireMode(volume, mode);
    if (volume.status === "attaching" && (volume.attached_mode ?? mode) !== mode) {
      throw new InvalidVolume("being attached by different mode");
    }
    const known = Object.values(attachmentsOf(volume)).find(
      ({ instance_uuid: instance, attached_host: host, attach_status: status }) =>
        status === "attached" && (instanceUuid === null ? host === hostName : instance === instanceUuid),
    );
    if (known !== undefined && STATUSES_OF_ATTACHMENTS.includes(volume.status)) {
      return volume.status === "in-use" ? undefined : { status: "in-use", attachStatus: "attached" };
    }
    if (volume.status === "in-use" || volume.status === "detaching") {
      throw new InvalidVolume("volume is already attached");
    }
    if (volume.status !== "available" && volume.status !== "attaching") {
      throw new InvalidVolume(
        `Volume status must be available or attaching to attach, but the status is ${volume.status}.`,
      );
    }
    const attachment: VolumeAttachment = {
      attach_status: "attached",
      created_at: at.toISOString(),
      instance_uuid: instanceUuid,
      attached_host: hostName,
      mountpoint,
      attach_mode: mode,
      attached_at: at.toISOString(),
      connection_info: null,
    };
    return {
      status: "in-use",
      attachStatus: "attached",
      attachedMode: mode,
      readonly: volume.readonly ?? false,
      attachments: withAttachment(volume, attachmentId, attachment),
    };
  };
}

/** A volume for reading only is attached for reading only. @throws InvalidVolumeAttachMode */
function requireMode({ id, readonly }: VolumeRecord, mode: string): void {
  if (readonly === true && mode !== "ro") {
    throw new InvalidVolumeAttachMode(id, mode);
  }
}

/**
 * `detach_volume`: takes one attachment off, by its id, or the only one.
 * Repeated: the attachment is gone, and the volume is left as its other attachments say.
 */
export function detach(attachmentId: string | null): Decide {
  return (volume) => {
    const attachments = attachmentsOf(volume);
    const [only, ...others] = Object.keys(attachments);
    if (attachmentId === null && others.length > 0) {
      throw new InvalidVolume("Detach volume failed: More than one attachment, but no attachment_id provided.");
    }
    const gone = attachmentId ?? only;
    if (gone === undefined || !Object.hasOwn(attachments, gone)) {
      return settled(volume, attachments);
    }
    return settled(volume, withoutAttachment(attachments, gone));
  };
}

/** The change to these attachments, with the statuses that follow; undefined when nothing changes. */
function settled(
  volume: VolumeRecord,
  attachments: Readonly<Record<string, VolumeAttachment>>,
): AttachmentChange | undefined {
  const isSame = Object.keys(attachments).length === Object.keys(attachmentsOf(volume)).length;
  const [status, attachStatus] = restOf(attachments);
  const ownStatus = STATUSES_OF_ATTACHMENTS.includes(volume.status) ? status : volume.status;
  if (isSame && ownStatus === volume.status) {
    return undefined;
  }
  return { status: ownStatus, attachStatus, attachedMode: null, ...(!isSame && { attachments }) };
}

/** The target of a new attachment. A connection is the driver's answer to the caller's connector. */
export type CreateAttachmentRequest = {
  attachmentId: string;
  instanceUuid: string | null;
  /** Mode that the caller asks for; null: the connector's, or none. */
  mode: string | null;
  connection: Connection | null;
  at: Date;
};

/** A host's side of a connection, and the driver's. */
export type Connection = { host: string | null; mountpoint: string | null; mode: string; info: ConnectionInfo };

/**
 * `attachment_create`: reserves the volume, for one caller only, or for one more attachment of the same instance, which is moving to
 * another host. With a connection it is attached as well, all but its completion.
 */
export function createAttachment(request: CreateAttachmentRequest): Decide {
  const { attachmentId, instanceUuid, mode, connection, at } = request;
  return (volume) => {
    const attachments = attachmentsOf(volume);
    if (Object.hasOwn(attachments, attachmentId)) {
      return undefined;
    }
    requireReservable(volume, instanceUuid);
    if (connection !== null) {
      requireMode(volume, connection.mode);
    }
    const reserved: VolumeAttachment = {
      attach_status: "reserved",
      created_at: at.toISOString(),
      instance_uuid: instanceUuid,
      attached_host: null,
      mountpoint: null,
      attach_mode: mode ?? (volume.readonly === true ? "ro" : null),
      attached_at: null,
      connection_info: null,
    };
    const attachment = connection === null ? reserved : connected(reserved, connection, at);
    return {
      ...(connection !== null ? attaching(volume) : volume.status === "available" && { status: "reserved" as const }),
      attachments: withAttachment(volume, attachmentId, attachment),
    };
  };
}

function requireReservable(volume: VolumeRecord, instanceUuid: string | null): void {
  const { id, status } = volume;
  if (status.includes("error")) {
    throw new InvalidVolume(
      "Volume attachments can not be created if the volume is in an error state. " +
        `The Volume ${id} currently has a status of: ${status} `,
    );
  }
  const moves =
    instanceUuid !== null &&
    (status === "in-use" || status === "reserved") &&
    Object.values(attachmentsOf(volume)).some(({ instance_uuid: instance }) => instance === instanceUuid);
  if (status !== "available" && !moves) {
    const expected = status === "downloading" ? "available" : "available or downloading";
    throw new InvalidVolume(`Volume ${id} status must be ${expected} to reserve, but the current status is ${status}.`);
  }
}

/** A volume that is in use by another attachment stays in use. */
function attaching(volume: VolumeRecord): Pick<AttachmentChange, "status" | "attachStatus"> {
  return isUsed(volume) ? {} : { status: "attaching", attachStatus: "attaching" };
}

function connected(
  attachment: VolumeAttachment,
  { host, mountpoint, mode, info }: Connection,
  at: Date,
): VolumeAttachment {
  return {
    ...attachment,
    attach_status: attachment.attach_status === "attached" ? "attached" : "attaching",
    attached_host: host,
    mountpoint: mountpoint ?? "na",
    attach_mode: mode,
    attached_at: attachment.attached_at ?? at.toISOString(),
    connection_info: info,
  };
}

/** `attachment_update`: a reserved attachment gets its connection. Repeated: the last connection holds. */
export function connectAttachment(attachmentId: string, connection: Connection, at: Date): Decide {
  return (volume) => {
    const attachment = attachmentsOf(volume)[attachmentId];
    if (attachment === undefined) {
      return undefined;
    }
    requireConnectable(volume);
    requireMode(volume, connection.mode);
    return {
      ...attaching(volume),
      attachments: withAttachment(volume, attachmentId, connected(attachment, connection, at)),
    };
  };
}

/** @throws InvalidVolume for a volume whose attachments cannot get a connection now */
export function requireConnectable({ id, status }: VolumeRecord): void {
  if (status.includes("error")) {
    throw new InvalidVolume(
      "Volume attachments can not be updated if the volume is in an error state. " +
        `The Volume ${id} currently has a status of: ${status} `,
    );
  }
  if (!STATUSES_OF_ATTACHMENTS.includes(status)) {
    throw new InvalidVolume(`Volume ${id} is ${status}, so its attachments cannot be changed.`);
  }
}

/** `os-complete`: the host uses the volume. Repeated: nothing changes. */
export function completeAttachment(attachmentId: string): Decide {
  return (volume) => {
    const attachment = attachmentsOf(volume)[attachmentId];
    if (attachment === undefined) {
      return undefined;
    }
    requireConnectable(volume);
    const { attach_status: status } = attachment;
    return status === "attached" && volume.status === "in-use"
      ? undefined
      : {
          status: "in-use",
          attachStatus: "attached",
          attachments: withAttachment(volume, attachmentId, { ...attachment, attach_status: "attached" }),
        };
  };
}

/** @throws InvalidInput when the volume has as many attachments as it may */
function withAttachment(
  volume: VolumeRecord,
  id: string,
  attachment: VolumeAttachment,
): Readonly<Record<string, VolumeAttachment>> {
  const attachments = { ...attachmentsOf(volume), [id]: attachment };
  if (Object.keys(attachments).length > MOST_ATTACHMENTS) {
    throw new InvalidInput(`volume ${volume.id} has ${MOST_ATTACHMENTS} attachments, which is the most; delete one`);
  }
  return attachments;
}

function withoutAttachment(
  attachments: Readonly<Record<string, VolumeAttachment>>,
  id: string,
): Record<string, VolumeAttachment> {
  return Object.fromEntries(Object.entries(attachments).filter(([each]) => each !== id));
}
