import * as v from "valibot";
import { extensionClaimFate, extensionClaimKey } from "../claims.ts";
import { MAX_VOLUME_SIZE_GIB } from "../requests/create-request.ts";
import type { Drivers } from "../drivers/driver-ports.ts";
import { describeError, FenceLost, InvalidVolume, NoValidBackend } from "../errors.ts";
import { ifThere } from "../if-there.ts";
import { causeText } from "../fault.ts";
import { Uuid } from "../requests/identifiers.ts";
import type { BackendRepository, VolumeRepository, VolumeTypeRepository } from "../ports.ts";
import { countedSize, holderOfExtension, type ProjectRepository, usageOfExtension } from "../projects.ts";
import { type CapacityClaim, type VolumeExtension, type VolumeRecord, type VolumeStatus } from "../records.ts";
import { capacityVerdict } from "../scheduling/capacity.ts";
import { claimLimits } from "../scheduling/claim-limits.ts";
import type { VolumeType } from "../scheduling/request.ts";
import type { SchedulerSettings } from "../scheduling/settings.ts";
import type { DeadlineDependencies } from "../settings/time-bounds.ts";
import { poolOfRecord } from "../scheduling/claim-backend.ts";
import { readyDriver } from "../attempt/create-on-backend.ts";
import { beginExtendVolume, type BeginExtendDependencies } from "./begin-extend-volume.ts";
import { closeExtensionClaim } from "./extension-claim.ts";

/** Dependencies of ending an extension that has its capacity. */
export type EndExtendDependencies = DeadlineDependencies & {
  volumes: Pick<VolumeRepository, "endExtend">;
  backends: Pick<BackendRepository, "settle" | "release">;
  projects: Pick<ProjectRepository, "giveBack">;
  drivers: Drivers;
};

/** Dependencies of extending a volume. */
export type ExtendVolumeDependencies = BeginExtendDependencies &
  EndExtendDependencies & {
    volumes: Pick<VolumeRepository, "get" | "keepExtensionClaim">;
    volumeTypes: Pick<VolumeTypeRepository, "get">;
    backends: Pick<BackendRepository, "get" | "claim" | "claimOf">;
    settings: Pick<SchedulerSettings, "max_over_subscription_ratio">;
  };

const SIZE_RULE = `new_size must be a whole number of GiB between 1 and ${MAX_VOLUME_SIZE_GIB}`;

/** The request. The caller chooses `extension_id`, so that a repeated request finds the extension that the first one began. */
export const ExtendVolumeInputSchema = v.object({
  volume_id: Uuid,
  extension_id: Uuid,
  new_size: v.pipe(
    v.number(SIZE_RULE),
    v.integer(SIZE_RULE),
    v.minValue(1, SIZE_RULE),
    v.maxValue(MAX_VOLUME_SIZE_GIB, SIZE_RULE),
  ),
});

/** See {@link ExtendVolumeInputSchema}. */
export type ExtendVolumeInput = v.InferOutput<typeof ExtendVolumeInputSchema>;

/** How often the backend is read again because a report or another request changed it. */
const CLAIM_ROUNDS = 10;

/**
 * Makes a volume larger (`cinder/volume/manager.py`, extend_volume, with the scheduler's capacity check before it): the record goes to
 * `extending`, the difference is claimed on the volume's backend, the driver extends the volume, the record gets the new size, the claim is
 * closed. The record is always written before the claim is closed, so that the record shows the purpose of an open claim.
 *
 * Repeated with the same `extension_id`: continues the extension, or answers as the first run did.
 * Interrupted: the volume stays `extending` until its deadline; then the sweep asks the driver again, or, when no capacity was
 * claimed, returns the volume to its status. A claim that the record does not name is given back by the sweep.
 * Late: a run that continues after the end of the extension changes nothing, and gives back its claim.
 *
 * @throws InvalidInput when the size is not larger; InvalidVolume when the volume is not available, or is being copied; NoValidBackend
 *   when the backend has no room, with the volume unchanged; the driver's error, with the volume in `error_extending`.
 */
export async function extendVolume(deps: ExtendVolumeDependencies, input: ExtendVolumeInput): Promise<VolumeRecord> {
  const begun = await beginExtendVolume(deps, input);
  if (begun.extension?.outcome === undefined) {
    return continueExtension(deps, begun);
  }
  await closeExtensionClaim(deps.backends, begun);
  return answer(begun);
}

/** The extension that a record in `extending` has, with the host that it is on. */
function underWay(volume: VolumeRecord): { extension: VolumeExtension; host: string } {
  const { extension, host } = volume;
  if (extension === undefined || host === null) {
    throw new InvalidVolume(`volume ${volume.id} is ${volume.status} without an extension or a host`);
  }
  return { extension, host };
}

async function continueExtension(deps: ExtendVolumeDependencies, begun: VolumeRecord): Promise<VolumeRecord> {
  const { extension } = underWay(begun);
  let volume = begun;
  if (extension.claimed_at === undefined) {
    const claim = await claimDifference(deps, volume);
    if ("reason" in claim) {
      const error = new NoValidBackend(claim.reason);
      return answer(await failExtension(deps, volume, error, extension.previous_status));
    }
    volume = await keepClaim(deps, volume, claim);
  }
  return answer(await extendOnBackend(deps, volume));
}

/** Claims the volume's growth; returns the reason when its backend has no room. */
async function claimDifference(
  deps: ExtendVolumeDependencies,
  volume: VolumeRecord,
): Promise<CapacityClaim | { reason: string }> {
  const { extension, host } = underWay(volume);
  const { number: attempt, size } = extension;
  const key = extensionClaimKey(volume.id);
  const difference = size - volume.size;
  const type = await typeOf(deps, volume);
  for (let round = 0; round < CLAIM_ROUNDS; round += 1) {
    const held = await deps.backends.claimOf(host, key, attempt);
    if (held !== undefined) {
      return held;
    }
    const backend = await deps.backends.get(host);
    if (backend === undefined || backend.disabled) {
      return { reason: `${host} ${backend === undefined ? "has never reported" : "is disabled"}` };
    }
    const pool = poolOfRecord(backend, deps.settings.max_over_subscription_ratio);
    const verdict = capacityVerdict(pool, difference, type);
    if (!verdict.passes) {
      return { reason: `${host}: ${verdict.reason}` };
    }
    const limits = claimLimits(pool, difference, type);
    const owner = { volumeId: key, fence: extension.id, attempt };
    const claimed = limits.possible ? await deps.backends.claim(backend, owner, difference, limits) : undefined;
    const claim = claimed?.claims[key];
    if (claim !== undefined) {
      return claim;
    }
  }
  throw new Error(`No claim for the extension of volume ${volume.id} after ${CLAIM_ROUNDS} rounds: others were faster`);
}

/** A type that is gone has no extra specs any more. */
async function typeOf(
  { volumeTypes }: Pick<ExtendVolumeDependencies, "volumeTypes">,
  { volume_type_id: id }: VolumeRecord,
): Promise<VolumeType | null> {
  return id === null ? null : ((await ifThere(volumeTypes.get(id))) ?? null);
}

/** Writes the claim on the record; one that the record refuses is given back, unless another run has its name there. */
async function keepClaim(
  deps: ExtendVolumeDependencies,
  volume: VolumeRecord,
  claim: CapacityClaim,
): Promise<VolumeRecord> {
  const { extension, host } = underWay(volume);
  try {
    return await deps.volumes.keepExtensionClaim(volume.id, extension.number, claim.claimed_at);
  } catch (error) {
    if (error instanceof FenceLost && extensionClaimFate(claim, await deps.volumes.get(volume.id)) === "release") {
      const { attempt, claimed_at: claimedAt } = claim;
      await deps.backends.release(host, { key: extensionClaimKey(volume.id), attempt, claimedAt });
    }
    throw error;
  }
}

/** From the claim on: the driver, the record, the claim. Returns the record also when the driver failed. */
async function extendOnBackend(deps: EndExtendDependencies, volume: VolumeRecord): Promise<VolumeRecord> {
  const { extension, host } = underWay(volume);
  try {
    const driver = await readyDriver(deps.drivers, host);
    await driver.extendVolume(volume, extension.size);
  } catch (error) {
    return failExtension(deps, volume, error, "error_extending");
  }
  const end = { outcome: "extended", size: extension.size, status: "available", at: deps.clock.now() } as const;
  return endAndClose(deps, volume, end);
}

async function failExtension(
  deps: Pick<EndExtendDependencies, "volumes" | "backends" | "projects" | "clock">,
  volume: VolumeRecord,
  error: unknown,
  status: VolumeStatus,
): Promise<VolumeRecord> {
  const { name, message } = describeError(error);
  const { counted } = underWay(volume).extension;
  const end = {
    ...({ outcome: "failed", error: name, cause: causeText(message), status, at: deps.clock.now() } as const),
    ...(counted === true && { quotaSize: volume.size }),
  };
  const ended = await endAndClose(deps, volume, end);
  if (counted === true) {
    await returnQuota(deps.projects, volume);
  }
  return ended;
}

/**
 * Gives back what an extension took of the quota that has failed. The record, which was written before, counts for the old size. Its entry
 * is forgotten with the left-overs, so a late repeat gives nothing back again.
 * Interrupted before it: the audit's recount corrects the sum.
 */
async function returnQuota(projects: Pick<ProjectRepository, "giveBack">, volume: VolumeRecord): Promise<void> {
  const { extension } = underWay(volume);
  const usage = usageOfExtension({ ...volume, quota_size: volume.size }, countedSize(volume));
  const holder = holderOfExtension(volume.id, extension.id);
  await projects.giveBack(volume.project_id, holder, usage, async () => true);
}

async function endAndClose(
  { volumes, backends }: Pick<EndExtendDependencies, "volumes" | "backends">,
  volume: VolumeRecord,
  end: Parameters<VolumeRepository["endExtend"]>[2],
): Promise<VolumeRecord> {
  const ended = await volumes.endExtend(volume.id, underWay(volume).extension.number, end);
  await closeExtensionClaim(backends, ended);
  return ended;
}

/**
 * Ends an extension whose function died, for the sweep. With a claim the driver is asked again, and finds the result of the first call;
 * without one the backend was not asked, and the volume returns to its status.
 */
export async function endOverdueExtension(deps: EndExtendDependencies, volume: VolumeRecord): Promise<void> {
  const { extension } = underWay(volume);
  if (extension.claimed_at === undefined) {
    const error = Object.assign(new Error(`No capacity was claimed until ${volume.deadline}.`), {
      name: "DeadlineExceeded",
    });
    await failExtension(deps, volume, error, extension.previous_status);
  } else {
    await extendOnBackend(deps, volume);
  }
}

/** The record of an ended extension. @throws its error */
function answer(volume: VolumeRecord): VolumeRecord {
  const { extension } = volume;
  if (extension?.outcome === "failed") {
    throw Object.assign(new Error(extension.cause), { name: extension.error });
  }
  return volume;
}
