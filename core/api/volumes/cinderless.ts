import type { Attempt, VolumeRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import type { Answer, Call } from "../http.ts";
import { apiTime } from "../links.ts";
import { visibleVolume } from "./show.ts";

/**
 * `GET /volumes/{id}/cinderless`: what Cinder has no field for. Clients of Cinder refuse unknown fields of a volume, so it is a resource of its
 * own. Hosts are for administrators, as everywhere, and with them whatever text may name one.
 */
export async function showCinderless(deps: ApiDependencies, call: Call): Promise<Answer> {
  const volume = await visibleVolume(deps, call.caller, call.params["id"] ?? "");
  const { isAdmin } = call.caller;
  return {
    status: 200,
    body: {
      cinderless: {
        volume_id: volume.id,
        status: volume.status,
        phase: volume.phase,
        deadline: timeOf(volume.deadline),
        delete_requested_at: timeOf(volume.delete_requested_at),
        progress: progressOf(volume),
        attempts: Object.entries(volume.attempts)
          .toSorted(([one], [other]) => Number(one) - Number(other))
          .map(([number, attempt]) => attemptView(Number(number), attempt, isAdmin)),
        attempts_dropped: volume.dropped?.attempts ?? 0,
        fault: faultOf(volume, isAdmin),
        extension: extensionOf(volume, isAdmin),
      },
    },
  };
}

function timeOf(iso: string | null | undefined): string | null {
  return iso === null || iso === undefined ? null : apiTime(iso);
}

function progressOf({ progress }: VolumeRecord): Record<string, unknown> | null {
  return progress === null
    ? null
    : {
        bytes_done: progress.bytes_done,
        bytes_total: progress.bytes_total,
        bytes_per_second: progress.bytes_per_second ?? null,
        updated_at: timeOf(progress.updated_at),
      };
}

function attemptView(number: number, attempt: Attempt, isAdmin: boolean): Record<string, unknown> {
  return {
    number,
    outcome: attempt.outcome,
    started_at: timeOf(attempt.started_at),
    ended_at: timeOf(attempt.ended_at),
    error: attempt.error ?? null,
    ...(isAdmin && {
      host: attempt.host,
      execution: attempt.execution,
      cause: attempt.cause ?? null,
      suspected_orphan: attempt.suspected_orphan ?? false,
    }),
  };
}

function faultOf({ fault }: VolumeRecord, isAdmin: boolean): Record<string, unknown> | null {
  return fault === null
    ? null
    : {
        error: fault.error,
        attempt: fault.attempt,
        at: timeOf(fault.at),
        ...(isAdmin && { cause: fault.cause, attempts: fault.attempts }),
      };
}

function extensionOf({ extension }: VolumeRecord, isAdmin: boolean): Record<string, unknown> | null {
  return extension === undefined
    ? null
    : {
        size: extension.size,
        outcome: extension.outcome ?? "running",
        started_at: timeOf(extension.started_at),
        ended_at: timeOf(extension.ended_at),
        error: extension.error ?? null,
        ...(isAdmin && { cause: extension.cause ?? null }),
      };
}
