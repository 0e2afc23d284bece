import type { Reservation } from "../../projects.ts";
import type { VolumeTypeRecord } from "../../records.ts";
import { deadlineAfter } from "../../settings/time-bounds.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { quotaExceeded } from "./exceeded.ts";
import { LEFT_OVER_SECONDS, settleLeftOvers } from "./settle.ts";

/** A reservation that is older is not used again: by the end of the request the audit might cancel it as left over. */
const REUSED_SECONDS = LEFT_OVER_SECONDS / 2;

/**
 * Reserves a part of the project's quota (QuotaReserveTask). Where there is no room, what interrupted requests left is settled first.
 *
 * Repeated: finds the reservation of the request before, unless that is old.
 *
 * @returns since when it is reserved
 * @throws ApiError 413 that names the resource
 */
export async function reserve(
  deps: Pick<ApiDependencies, "projects" | "volumes" | "snapshots" | "clock">,
  reservation: Reservation,
  type: Pick<VolumeTypeRecord, "id" | "name"> | null,
): Promise<string> {
  const { projectId, holder } = reservation;
  let result = await deps.projects.reserve(reservation);
  if ("reservedAt" in result && deadlineAfter(new Date(result.reservedAt), REUSED_SECONDS) <= deps.clock.now()) {
    await deps.projects.cancel(projectId, holder, result.reservedAt);
    result = await deps.projects.reserve(reservation);
  }
  if ("exceeded" in result && (await settleLeftOvers(deps, projectId, result.quota))) {
    result = await deps.projects.reserve(reservation);
  }
  if ("exceeded" in result) {
    throw quotaExceeded(result, { usage: reservation.usage, limits: reservation.limits, type });
  }
  return result.reservedAt;
}
