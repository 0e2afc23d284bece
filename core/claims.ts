import { isCachedVolume } from "./image-cache/image-cache.ts";
import type { BackendRepository, ClaimRef } from "./ports.ts";
import {
  attemptOfFence,
  type CapacityClaim,
  fenceOf,
  RETURNED_CAPACITY,
  STATUSES_CREATED,
  type VolumeRecord,
} from "./records.ts";
import { isInFlow, lifecycleOf } from "./volume-lifecycle.ts";
import { DEFAULT_PHASE_BOUNDS, type PhaseBounds } from "./settings/time-bounds.ts";

/**
 * The meaning of an open claim. A claim is closed last, when the volume's record has the end of the attempt and the notification was sent.
 * So a claim whose volume has left the flow means "notification missing": it is the outbox of `volume.create.end` and `volume.create.error`
 * (docs/adr/0011).
 */

/** The notification of an attempt's end. */
export type EndEvent = "volume.create.end" | "volume.create.error";

/**
 * The action for an open claim.
 *
 * - `leave`: its owner still needs it.
 * - `settle`, `release`: as the methods of the repository, after the event was sent, if there is one.
 */
export type ClaimFate = { action: "leave" | "settle" | "release"; tell?: EndEvent };

/** An open claim on a backend. `isExtension`: it holds the growth of an existing volume. */
export type OpenClaim = { host: string; volumeId: string; claim: CapacityClaim; isExtension?: true };

const EXTENSION_SUFFIX = "+extend";

/** The key of the claim of a volume's extension: next to that of its create, which may be open too. */
export function extensionClaimKey(volumeId: string): string {
  return `${volumeId}${EXTENSION_SUFFIX}`;
}

/** The key of a claim. */
export function claimKeyOf({ volumeId, isExtension }: OpenClaim): string {
  return isExtension === true ? extensionClaimKey(volumeId) : volumeId;
}

/** A claim as the repository has it, by its key. */
export function openClaim(host: string, key: string, claim: CapacityClaim): OpenClaim {
  return key.endsWith(EXTENSION_SUFFIX)
    ? { host, volumeId: key.slice(0, -EXTENSION_SUFFIX.length), claim, isExtension: true }
    : { host, volumeId: key, claim };
}

/** Which claim it is. */
export function refOfClaim(open: OpenClaim): ClaimRef {
  return { key: claimKeyOf(open), attempt: open.claim.attempt, claimedAt: open.claim.claimed_at };
}

/** The claim by which a volume was placed on its host: an attempt starts with its claim. */
export function placingClaimOf(volume: VolumeRecord, attempt = attemptOfFence(volume.fence)): ClaimRef {
  return { key: volume.id, attempt, claimedAt: volume.attempts[attempt]?.started_at ?? volume.created_at };
}

/** The open claims of these backends, the oldest first, or only those that were made before `before`. Asks ten backends at a time. */
export async function openClaimsOn(
  backends: Pick<BackendRepository, "openClaims">,
  hosts: readonly string[],
  before?: Date,
): Promise<OpenClaim[]> {
  const left = hosts.values();
  const found: OpenClaim[] = [];
  const worker = async (): Promise<void> => {
    for (const host of left) {
      found.push(...(await backends.openClaims(host, before)));
    }
  };
  await Promise.all(Array.from({ length: Math.min(10, hosts.length) }, worker));
  return found.toSorted((one, other) => (one.claim.claimed_at < other.claim.claimed_at ? -1 : 1));
}

/**
 * Whether a claim is the one whose capacity the volume has on that host. An attempt starts with its claim: its `started_at` is the claim's
 * `claimed_at`. A volume can be claimed again on the same host only when the claim before is closed, so the time distinguishes them when a
 * late delivery of the same attempt has claimed again.
 */
export function isClaimOf(volume: VolumeRecord, host: string, claim: CapacityClaim): boolean {
  const line = volume.attempts[claim.attempt];
  return (
    volume.host === host &&
    volume.fence === fenceOf(volume.id, claim.attempt) &&
    (line === undefined || line.started_at === claim.claimed_at)
  );
}

/** The fate of a claim according to the volume's present record. Any answer may be acted upon twice, and late. */
export function claimFate(open: OpenClaim, volume: VolumeRecord | undefined): ClaimFate {
  const { host, claim } = open;
  if (open.isExtension === true) {
    return { action: extensionClaimFate(claim, volume) };
  }
  if (claim.attempt === RETURNED_CAPACITY) {
    return { action: volume === undefined ? "settle" : "leave" };
  }
  if (volume === undefined) {
    return { action: "release" };
  }
  // Its removal closes the claim; what that leaves behind is released when the record is gone.
  if (volume.delete_requested_at !== null) {
    return { action: "leave" };
  }
  // One with a deadline is being removed by the flow or the sweep, which closes its claim itself.
  if (isInFlow(volume) || volume.deadline !== null) {
    return { action: isNeededInFlow(open, volume) ? "leave" : "release" };
  }
  if (isClaimOf(volume, host, claim)) {
    const tell = endEventOf(volume);
    return tell === undefined ? { action: "settle" } : { action: "settle", tell };
  }
  const isQueuedError = volume.fault !== null && volume.host === null && volume.fault.attempt === claim.attempt;
  return isQueuedError ? { action: "release", tell: "volume.create.error" } : { action: "release" };
}

/**
 * The action for the claim of an extension, by the volume's record: the record is written first, and the claim closed after it. A claim
 * that the record does not name was made late, by a run of an extension that is over: it is given back.
 */
export function extensionClaimFate(
  claim: Pick<CapacityClaim, "attempt" | "claimed_at">,
  volume: VolumeRecord | undefined,
): "leave" | "settle" | "release" {
  const extension = volume?.extension;
  if (volume === undefined || extension?.number !== claim.attempt) {
    return "release";
  }
  if (volume.status === "extending" && volume.deadline !== null && extension.outcome === undefined) {
    return (extension.claimed_at ?? claim.claimed_at) === claim.claimed_at ? "leave" : "release";
  }
  return extension.outcome === "extended" && extension.claimed_at === claim.claimed_at ? "settle" : "release";
}

/** The current attempt's claim, or one that the scheduling of this or a later attempt will look for. */
function isNeededInFlow({ host, claim }: OpenClaim, volume: VolumeRecord): boolean {
  if (volume.fence === null || claim.attempt > attemptOfFence(volume.fence)) {
    return true;
  }
  return claim.attempt === attemptOfFence(volume.fence) && (volume.host === null || volume.host === host);
}

/** Undefined for a volume that left the flow by another writer (mostly an operator), and for volumes without a request. */
function endEventOf(volume: VolumeRecord): EndEvent | undefined {
  if (isCachedVolume(volume)) {
    return undefined;
  }
  if (volume.fault !== null) {
    return "volume.create.error";
  }
  return volume.launched_at === null ? undefined : "volume.create.end";
}

/**
 * Whether a claim has been open for so long that its own workflow cannot be about to close it: counted from the end of the attempt when the
 * volume has left the flow with it, otherwise from the claim. The mark of a deleted volume on which a function may still be at work waits
 * until every function that worked on it has ended.
 */
export function isClaimOverdue(
  { claim }: OpenClaim,
  volume: VolumeRecord | undefined,
  now: Date,
  bounds: PhaseBounds = DEFAULT_PHASE_BOUNDS,
): boolean {
  const ended = volume?.attempts[claim.attempt]?.ended_at;
  const since = ended !== undefined && ended > claim.claimed_at ? ended : claim.claimed_at;
  // Such a volume has no deadline, and the scheduling of its message will look for the claim.
  const waits = volume !== undefined && lifecycleOf(volume) === "unclaimed";
  const bound = waits ? bounds.queued : bounds.open_claim;
  const atWork = claim.suspected_orphan === true ? bounds.late_work : 0;
  return Date.parse(since) + Math.max(bound, atWork) * 1000 < now.getTime();
}

/**
 * The volume at the end of its attempt, for an event that is sent late: users may have attached it or be deleting it by now. Name and
 * metadata are as they are now.
 */
export function asItEnded(volume: VolumeRecord, event: EndEvent): VolumeRecord {
  if (event === "volume.create.error") {
    return { ...volume, status: "error" };
  }
  const isAsCreated = (STATUSES_CREATED as readonly string[]).includes(volume.status);
  return isAsCreated ? volume : { ...volume, status: "available" };
}
