import { backendHost } from "../../core/backends/backends.ts";
import type { Zone } from "./stack.ts";
import type { Lock, LockedSource } from "../../core/ports.ts";
import type { BackendRecord, SnapshotRecord, VolumeRecord } from "../../core/records.ts";

/** The source of a volume. */
export type Kind = "raw" | "image" | "snapshot" | "clone";

/**
 * The result of a delete request: `accepted`, `refused` when this volume cannot be deleted now, `unanswered` when neither is known in the
 * end.
 */
export type Deletion = "none" | "accepted" | "refused" | "unanswered";

/** A volume whose message the queue took, or whose create the API accepted. */
export type AcceptedVolume = {
  id: string;
  /** Null for one that has none. */
  name: string | null;
  project: string;
  kind: Kind;
  sizeGib: number;
  /** Digest of its bytes: see `content.ts`. */
  digest: string;
  deletion: Deletion;
  /** Its message cannot be read, though it names the volume. */
  spoiled: boolean;
  /** It is asked for by a project that does not own its source, which must not get it. */
  foreign: boolean;
  /** Its cast never reached the queue. */
  abandoned: boolean;
  /** The size that it was extended to, if the API accepted that. */
  extendedTo: number | null;
  /** The status that an operator set last. */
  resetTo: "error" | "available" | null;
  /** An operator has tried to send its dead letter again. */
  redriven: boolean;
  /** Backends that its ledger suspected when its deletion was asked for; its record says so no more. */
  suspectedOn: readonly string[];
  zone: Zone;
};

/** Backends, as `host@backend`, on which the ledger says that an attempt may have left something. */
export function suspectedBackends({ attempts }: VolumeRecord): string[] {
  return Object.values(attempts).flatMap(({ host, suspected_orphan }) =>
    suspected_orphan === true && typeof host === "string" ? [backendHost(host)] : [],
  );
}

/** A volume that was put on a backend without a create, and is old enough for the audit to remove it if no record claims it. */
export type PlantedOrphan = { id: string; backend: string };

/** A volume or snapshot, or half of one, in the directory of a backend. */
export type StoredFile = {
  /** `host@backend`. */
  backend: string;
  what: "volume" | "snapshot";
  id: string;
  partial: boolean;
  sizeBytes: number;
  /** Null for half of one. */
  digest: string | null;
};

/** A notification that was received, and what the volume's record said right after. */
export type Told = {
  eventType: string;
  volumeId: string;
  messageId: string;
  /** Null when the record was gone. */
  statusThen: string | null;
};

/** A message that is expected among the dead letters. */
export type BadMessage = { marker: string; why: string };

/** A message among the dead letters, kept or still in their queue. */
export type DeadLetter = { body: string; reason: string };

/** The results on the other backends while one hung. */
export type BesideHanging = {
  /** Why it was not at rest after the longest time that anything may take; null when it was. */
  unrest: string | null;
  /** Planted files of the other backends that no audit had removed by then. */
  planted: readonly PlantedOrphan[];
};

/** A create through the API: the ids in the answers to its requests, and how it ended for its client. */
export type ApiCreate = {
  name: string;
  project: string;
  sizeGib: number;
  ids: readonly string[];
  end: "accepted" | "refused by the quota" | "abandoned";
};

/** A snapshot that the API accepted; it was taken of an empty volume. */
export type ApiSnapshot = { name: string; project: string; deletion: "none" | "accepted" };

/** A project when all is at rest. Usages are those of its counter. */
export type ProjectState = {
  id: string;
  limits: { volumes: number; gigabytes: number; snapshots: number };
  /** GiB that interrupted requests for extensions and snapshots had reserved, and that no record has. */
  leftOverGib: number;
  /** After what interrupted requests left was settled, and before the audit counted again. */
  settled: Readonly<Record<string, number>>;
  /** After the audit. */
  audited: Readonly<Record<string, number>>;
  /** Reservations that are left after the audit, by their holders. */
  reservations: readonly string[];
  /** Ids and times of its list's entries after the audit, newest first. */
  entries: readonly { kind: string; id: string; name: string | null; createdAt: string }[];
};

/** An answer to a reading client that cannot be right. */
export type ReadProblem = { subject: string; message: string };

/** The clients' view of the API during the run. */
export type ApiEvidence = {
  creates: readonly ApiCreate[];
  snapshots: readonly ApiSnapshot[];
  projects: readonly ProjectState[];
  readProblems: readonly ReadProblem[];
  /** Answers with 5xx that no injected fault explains, with their causes. */
  failures: readonly { request: string; cause: string }[];
  /** How often an audit of the run found a sum wrong and wrote another. */
  corrections: number;
};

/** Everything that is there when all is at rest. */
export type Evidence = {
  accepted: readonly AcceptedVolume[];
  /** Volumes that were there before: sources. */
  known: readonly AcceptedVolume[];
  /** Digest of the bytes of each snapshot that was taken. */
  snapshotDigests: Readonly<Record<string, string>>;
  badMessages: readonly BadMessage[];
  records: readonly VolumeRecord[];
  snapshots: readonly SnapshotRecord[];
  locks: readonly (Lock & { source: LockedSource })[];
  backends: readonly BackendRecord[];
  files: readonly StoredFile[];
  told: readonly Told[];
  deadLetters: readonly DeadLetter[];
  messagesLeft: number;
  executionsRunning: number;
  planted: readonly PlantedOrphan[];
  /** Volumes whose records cannot be read: those that were put, and the ids that the audits reported. */
  unreadable: { put: readonly PlantedOrphan[]; reported: readonly string[] };
  besideHanging: BesideHanging;
  api: ApiEvidence;
  /** Places in which the token of a request's context was found. */
  leaks: readonly string[];
};

/** A check that did not hold. */
export type Violation = { check: string; subject: string; message: string };
