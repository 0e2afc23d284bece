import { backendHost } from "../../core/backends/backends.ts";
import type { Zone } from "./stack.ts";
import type { BackendRecord, SnapshotRecord, VolumeRecord } from "../../core/records.ts";

/** The source of a volume. */
export type Kind = "raw" | "image" | "snapshot" | "clone";

/**
 * The result of a delete request: `accepted`, `refused` when this volume cannot be deleted now, `unanswered` when neither is known in the
 * end.
 */
export type Deletion = "none" | "accepted" | "refused" | "unanswered";

/** A volume whose message the queue took. */
export type AcceptedVolume = {
  id: string;
  kind: Kind;
  sizeGib: number;
  /** Digest of its bytes: see `content.ts`. */
  digest: string;
  deletion: Deletion;
  /** Its message cannot be read, though it names the volume. */
  spoiled: boolean;
  /** It is asked for by a project that does not own its source, which must not get it. */
  foreign: boolean;
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
  /** Places in which the token of a request's context was found. */
  leaks: readonly string[];
};

/** A check that did not hold. */
export type Violation = { check: string; subject: string; message: string };
