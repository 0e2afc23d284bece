import type { SnapshotRecord, VolumeRecord } from "./records.ts";

/**
 * A project's data: the ordered list of its volumes and snapshots, and the usage of its quota. Everything of one project lies under one
 * key, and no item of it grows with what the project has.
 */

/** Kinds of entries in a project's list. */
export type ListedKind = "volume" | "snapshot" | "attachment";

/** One line of a project's list. The record may be gone, or not exist yet: listings skip such an entry. */
export type ListEntry = {
  kind: ListedKind;
  id: string;
  projectId: string;
  createdAt: string;
  name: string | null;
  /** When the entry was renamed last. {@link ProjectRepository.list} by name does not have it. */
  renamedAt?: string;
};

/** A quota's resource: `volumes`, `gigabytes`, `snapshots`, or one of these for a type, as `volumes_` and the type's id. */
export type Usage = Readonly<Record<string, number>>;

/** Limit of a resource that has none. */
export const UNLIMITED = -1;

/** An amount of a project's quota, and its holder. */
export type Reservation = {
  /** `volume:` or `snapshot:` and the id of what is created: the same one is counted once. */
  holder: string;
  projectId: string;
  usage: Usage;
  /** Limit of each resource that has one. */
  limits: Readonly<Record<string, number>>;
};

/** A change of a project's usage whose other record is not written yet. */
export type Movement = {
  /** `taken` stays if the holder's record exists; `given_back` stays if it does not. */
  kind: "taken" | "given_back";
  usage: Usage;
  at: string;
};

/** A project's usage, with its own limits; a limit that is absent is the default. */
export type ProjectQuota = {
  used: Usage;
  limits: Readonly<Record<string, number>>;
  moving: Readonly<Record<string, Movement>>;
};

/** A quota with the counter of what was given back, by which a change in between is seen. */
export type CountedQuota = ProjectQuota & { returns: number };

/** Where a page of a list begins: after this entry. */
export type ListPosition = Pick<ListEntry, "kind" | "id" | "projectId" | "createdAt">;

/** How a reservation ended: since when it counts, or the resource that has no room for it. */
export type ReserveResult = { reservedAt: string } | { exceeded: string; quota: ProjectQuota };

/** The store of {@link ListEntry} and {@link ProjectQuota}. */
export interface ProjectRepository {
  /** Puts an entry into its project's list. Repeated it changes nothing. To be called before the record is put. */
  enter(entry: ListEntry): Promise<void>;
  /** Takes an entry without a record off the list. */
  removeEntry(entry: ListPosition): Promise<void>;
  /** Takes the entry off the list, and forgets what was given back for its record. To be called when the record is gone. */
  leave(entry: ListPosition): Promise<void>;
  /** Writes a new name into the entry. To be called before the record is renamed. */
  rename(entry: ListPosition, name: string | null): Promise<void>;
  /** Writes the name of the record into the entry, if it was not renamed since it was read. */
  correctName(entry: ListEntry, name: string | null): Promise<void>;
  /** Entries of a project, newest first, read consistently; `name` narrows by the exact name. */
  list(projectId: string, kind: ListedKind, options: ListOptions): Promise<ListEntry[]>;
  /** Entries of all projects, in no order. For administrators: it reads all of them. */
  listAll(kind: ListedKind): Promise<ListEntry[]>;

  /** A project's quota; empty for one that has nothing. */
  quota(projectId: string): Promise<ProjectQuota>;
  /** Quotas of projects and claims of names, in the order in which they are asked for, by one request. */
  readTogether(
    projectIds: readonly string[],
    names: readonly Pick<NameClaim, "scope" | "name">[],
  ): Promise<{ quotas: ProjectQuota[]; claims: (NameClaim | undefined)[] }>;
  /** The quotas of all projects, in no order. For the audit: it reads the whole table. */
  listQuotas(): Promise<{ projectId: string; quota: CountedQuota }[]>;
  /**
   * Writes the sums of a project that are wrong, if none of them has changed since it was read and nothing is moving. False when that is not
   * so; of many sums, some may be corrected by then.
   */
  correctUsage(projectId: string, read: CountedQuota, used: Usage): Promise<boolean>;
  /** Takes of the quota, all of it or nothing, within every limit. Repeated by the same holder it changes nothing. */
  reserve(reservation: Reservation): Promise<ReserveResult>;
  /**
   * The holder's record is there: what it took stays taken.
   *
   * @param reservedAt of that reservation alone; another request with the same key may have made a later one, which it cancels
   */
  confirm(projectId: string, holder: string, reservedAt?: string): Promise<void>;
  /** Gives back what a holder took that has no record and never gets one. @param reservedAt as of {@link confirm} */
  cancel(projectId: string, holder: string, reservedAt?: string): Promise<void>;
  /**
   * Gives back what a record holds, once, before the record is removed. {@link leave} forgets it afterwards.
   *
   * @param isStillThere reads whether the record exists; asked after the quota was read, so that a call which comes late, when the record
   *   is gone and forgotten, gives nothing back a second time
   */
  giveBack(projectId: string, holder: string, usage: Usage, isStillThere: () => Promise<boolean>): Promise<void>;
  /**
   * Takes a name by one conditional write. Returns whose it is: the holder's, or that of the one who was faster. Repeated by the holder it
   * changes nothing.
   *
   * @param options `replaces`: the claim, as it was returned, of a holder that does not use the name; `expiresAt`: when the name is free again
   */
  claimName(
    scope: NameScope,
    name: string,
    holder: string,
    options?: { replaces?: NameClaim; expiresAt?: Date },
  ): Promise<NameClaim>;
  /** The claim of the name; undefined when it is free. */
  findName(scope: NameScope, name: string): Promise<NameClaim | undefined>;
  /** Gives the name up, if it is the holder's. */
  releaseName(scope: NameScope, name: string, holder: string): Promise<void>;
  /** Changes a project's own limits; null sets one back to the default. */
  setLimits(projectId: string, limits: Readonly<Record<string, number | null>>): Promise<ProjectQuota>;
}

/** Scopes in which names are unique: names of volume types, and ids of deleted volumes that were created with an Idempotency-Key. */
export type NameScope = "volume_type" | "deleted_volume";

/** A claim of a name. */
export type NameClaim = { scope: NameScope; name: string; holder: string; claimedAt: string };

/** How a list is read. */
export type ListOptions = { limit: number; after?: ListPosition | undefined; name?: string | undefined };

/** The holder of a record's part of the quota. */
export function holderOfQuota(kind: ListedKind, id: string): string {
  return `${kind}:${id}`;
}

/** The holder of what a volume is to grow by, until the record has the extension. */
export function holderOfExtension(volumeId: string, extensionId: string): string {
  return `extension:${volumeId}:${extensionId}`;
}

/** The holder of what a volume takes of its new type's quota, until the record has the type; each request is one of its own. */
export function holderOfRetype(volumeId: string, typeId: string, retypeId: string): string {
  return `retype:${volumeId}:${typeId}:${retypeId}`;
}

/** GiB that a volume counts for in its quota. */
export function countedSize({ size, quota_size: counted = size }: VolumeRecord): number {
  return counted;
}

/** GiB that a volume counts for from the beginning of an extension on: an extension that was taken from the flow may have left it more. */
export function countedWhileExtending(volume: VolumeRecord, newSize: number): number {
  return Math.max(newSize, countedSize(volume));
}

/** An extension's usage of its project's quota, in addition to the volume's. */
export function usageOfExtension(volume: VolumeRecord, newSize: number): Usage {
  const { volume_type_id: typeId } = volume;
  const gigabytes = countedWhileExtending(volume, newSize) - countedSize(volume);
  return { gigabytes, ...(typeId !== null && { [`gigabytes_${typeId}`]: gigabytes }) };
}

/** A volume's usage of its project's quota. */
export function usageOfVolume({ size, volume_type_id: typeId }: Pick<VolumeRecord, "size" | "volume_type_id">): Usage {
  return {
    volumes: 1,
    gigabytes: size,
    ...(typeId !== null && { [`volumes_${typeId}`]: 1, [`gigabytes_${typeId}`]: size }),
  };
}

/** The place of a volume in its project's list. */
export function positionOfVolume({ id, project_id, created_at }: VolumeRecord): ListPosition {
  return { kind: "volume", id, projectId: project_id, createdAt: created_at };
}

/** A snapshot's usage of its project's quota: its volume's size counts once more. */
export function usageOfSnapshot(size: number, typeId: string | null): Usage {
  return {
    snapshots: 1,
    gigabytes: size,
    ...(typeId !== null && { [`snapshots_${typeId}`]: 1, [`gigabytes_${typeId}`]: size }),
  };
}

/** The place of a snapshot in its project's list. */
export function positionOfSnapshot({ id, project_id, created_at }: SnapshotRecord): ListPosition {
  return { kind: "snapshot", id, projectId: project_id, createdAt: created_at };
}

/**
 * The place of the entry that leads from an attachment's id to its volume, whose id is the entry's name. It lies under the attachment's own
 * key, because an administrator of another project may ask for it.
 */
export function attachmentPosition(id: string, createdAt: string): ListPosition {
  return { kind: "attachment", id, projectId: `attachment:${id}`, createdAt };
}
