import { claimFate, type OpenClaim, openClaimsOn } from "../claims.ts";
import { type BackendRecord, RETURNED_CAPACITY, type VolumeRecord } from "../records.ts";
import type { Found, Listed } from "../ports.ts";
import type { Finding } from "./report.ts";
import type { SizesByHost } from "./records.ts";
import type { AuditRun } from "./run.ts";

/** Compares the backends' counted capacity with their volumes. Nothing is repaired. */

/** Differences below this are rounding: capacity is counted in whole GiB. */
const TOLERANCE_GIB = 0.01;

/**
 * Claims that stay open although they are not needed.
 *
 * A claim is closed some moments after its record's last write, and the sweep closes one that was left, so a claim counts only when
 * both it and its record have stood still for longer than any phase lasts.
 */
export async function auditClaims(run: AuditRun, backends: readonly BackendRecord[]): Promise<void> {
  const before = new Date(run.startedAt.getTime() - run.longestPhaseSeconds * 1000);
  const stillBefore = before.toISOString();
  for (const { host } of backends) {
    const old = await openClaimsOn(run.backends, [host], before);
    const ids = [...new Set(old.map(({ volumeId }) => volumeId))];
    const volumesById = ids.length === 0 ? (new Map() as Found<VolumeRecord>) : await run.volumes.getMany(ids);
    for (const open of old) {
      const volume = volumesById.get(open.volumeId);
      const isStill = volume === undefined || volume.updated_at < stillBefore;
      const isReadable = !(volumesById.unreadable ?? []).some(({ id }) => id === open.volumeId);
      if (isStill && isReadable && claimFate(open, volume).action !== "leave") {
        run.book.add(claimFinding(open, volume));
      }
    }
  }
}

/** Backends, and what is claimed on each of them, at one time of an audit. */
export type Counted = { backends: Listed<BackendRecord>; openGib: ReadonlyMap<string, number> };

/** Reads the backends and their open claims. */
export async function countBackends({ backends }: Pick<AuditRun, "backends">): Promise<Counted> {
  const listed = await backends.list();
  const openGib = new Map<string, number>();
  for (const { host, claim } of await openClaimsOn(
    backends,
    listed.map((each) => each.host),
  )) {
    openGib.set(host, (openGib.get(host) ?? 0) + claim.size);
  }
  return { backends: listed, openGib };
}

/**
 * Allocated capacity against the sizes of the volumes that name the host. The records are not read at one moment, so movements in between
 * are taken into account: a difference is reported only when no order of the reads explains it.
 */
export function auditAllocated(run: AuditRun, before: Counted, after: Counted, sizes: SizesByHost): void {
  for (const backend of after.backends) {
    const earlier = before.backends.find(({ host }) => host === backend.host);
    const { placed, moving } = sizes.get(backend.host) ?? { placed: 0, moving: 0 };
    const figures = [backend.allocated_capacity_gb, earlier?.allocated_capacity_gb ?? 0];
    const open = [after, before].map(({ openGib }) => openGib.get(backend.host) ?? 0);
    const slack = open.reduce((sum, gib) => sum + gib, moving) + TOLERANCE_GIB;
    if (placed < Math.min(...figures) - slack || placed > Math.max(...figures) + slack) {
      const detail = `${backend.allocated_capacity_gb} GiB are counted as allocated, its volumes have ${placed} GiB`;
      run.book.add(backendFinding("capacity", "backend", backend.host, backend.host, detail));
    }
  }
}

function claimFinding({ host, volumeId, claim, isExtension }: OpenClaim, volume: VolumeRecord | undefined): Finding {
  const state = volume === undefined ? "gone" : `${volume.status} on ${volume.host ?? "no host"}`;
  const detail =
    claim.attempt === RETURNED_CAPACITY
      ? `the mark of a deletion that did not end; the volume is ${state}`
      : `${isExtension === true ? "extension" : "attempt"} ${claim.attempt} holds ${claim.size} GiB since ${claim.claimed_at}; the volume is ${state}`;
  return backendFinding("claim", "volume", volumeId, host, detail);
}

function backendFinding(
  kind: Finding["kind"],
  what: Finding["what"],
  id: string,
  host: string,
  detail: string,
): Finding {
  return { kind, what, id, host, detail, size_bytes: null, modified_at: null, outcome: "reported", reason: null };
}
