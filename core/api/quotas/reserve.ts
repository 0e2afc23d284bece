import type { Reservation } from "../../projects.ts";
import type { VolumeTypeRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { quotaExceeded } from "./exceeded.ts";
import { settleLeftOvers } from "./settle.ts";

/**
 * Reserves a part of the project's quota (QuotaReserveTask). Where there is no room, what interrupted requests left is settled first.
 *
 * @returns since when it is reserved; of a repeated request, since when it was
 * @throws ApiError 413 that names the resource
 */
export async function reserve(
  deps: Pick<ApiDependencies, "projects" | "volumes" | "snapshots" | "clock">,
  reservation: Reservation,
  type: Pick<VolumeTypeRecord, "id" | "name"> | null,
): Promise<string> {
  let result = await deps.projects.reserve(reservation);
  if ("exceeded" in result && (await settleLeftOvers(deps, reservation.projectId, result.quota))) {
    result = await deps.projects.reserve(reservation);
  }
  if ("exceeded" in result) {
    throw quotaExceeded(result, { usage: reservation.usage, limits: reservation.limits, type });
  }
  return result.reservedAt;
}
