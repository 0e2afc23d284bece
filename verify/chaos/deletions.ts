import { setTimeout as delay } from "node:timers/promises";
import { ifThere } from "../../core/if-there.ts";
import { isBeforeTheBackend } from "../../core/records.ts";
import { isInFlow } from "../../core/volume-lifecycle.ts";
import type { Api } from "./api.ts";
import { type AcceptedVolume, type Deletion, suspectedBackends } from "./evidence.ts";
import type { Hang } from "./hang.ts";
import { FunctionFailed, persist, type Services } from "./services.ts";
import { HANGING_ZONE } from "./stack.ts";
import type { DeletionMoment } from "./work.ts";

/** Tries of a deletion that fails for reasons that may pass. */
const DELETE_TRIES = 20;

/** Dependencies of deleting. */
export type Deleter = {
  services: Services;
  api: Api;
  hang: Pick<Hang, "begun" | "over">;
  signal: AbortSignal;
};

/**
 * Deletes a volume as a patient user does: again until it is answered. Volumes that the API has made are deleted through it, the others by
 * the function.
 */
export async function deleteLater(
  deleter: Deleter,
  volume: AcceptedVolume,
  byApi: boolean,
  { after, milliseconds }: DeletionMoment,
): Promise<void> {
  const { services, hang, signal } = deleter;
  if (after === "hang") {
    await hang.begun;
  } else {
    while (!(await hasCome(services, volume.id, after, signal))) {
      await delay(100);
    }
  }
  await delay(milliseconds);
  volume.suspectedOn = await suspectedOn(services, volume.id, signal);
  for (let tries = 0; tries < DELETE_TRIES && volume.deletion !== "accepted"; tries += 1) {
    volume.deletion = byApi ? await deleteByApi(deleter.api, volume) : await deleteByFunction(deleter, volume, tries);
    if (volume.deletion !== "unanswered") {
      return;
    }
    await (volume.zone === HANGING_ZONE && tries === 0 ? hang.over : delay(500));
  }
}

/**
 * The request marks the volume, so the answer does not wait for the backend. A repeated request finds the mark of the first one, or that the
 * volume is gone. A volume that is gone before the first request was not deleted by it.
 */
async function deleteByApi(api: Api, { id, project }: AcceptedVolume): Promise<Deletion> {
  if ((await api.ask({ project, method: "GET", path: `/volumes/${id}` })).status === 404) {
    return "refused";
  }
  const { status } = await api.ask({ project, method: "DELETE", path: `/volumes/${id}` });
  if (status === 202 || status === 404) {
    return "accepted";
  }
  const { body } = await api.ask({ project, method: "GET", path: `/volumes/${id}` });
  const shown = (body["volume"] as { status: string } | undefined)?.status ?? "gone";
  return /^(gone|deleting|error_deleting)$/.test(shown) ? "accepted" : "refused";
}

/**
 * One whose backend hangs is asked for once more when it answers again: calls that hang would take every environment of the function, and may
 * outlast the client's patience.
 */
function deleteByFunction({ services, signal }: Deleter, volume: AcceptedVolume, tries: number): Promise<Deletion> {
  const name = services.functionName("DeleteVolume");
  const ask = (): Promise<Deletion> => deleteOnce(services, name, volume.id);
  return volume.zone === HANGING_ZONE && tries === 0
    ? ask().catch(() => "unanswered" as const)
    : persist(signal, ask, (error) => error instanceof FunctionFailed);
}

/** The backends that the record's ledger suspects. */
async function suspectedOn({ volumes }: Services, volumeId: string, signal: AbortSignal): Promise<string[]> {
  const found = await persist(signal, () => volumes.getMany([volumeId]));
  return [...found.values()].flatMap(suspectedBackends);
}

/** Whether the moment after which a deletion is asked for has come, or never will. */
export async function hasCome(
  { volumes }: Services,
  volumeId: string,
  after: Exclude<DeletionMoment["after"], "hang">,
  signal: AbortSignal,
): Promise<boolean> {
  if (after === "message") {
    return true;
  }
  const record = await persist(signal, () => ifThere(volumes.get(volumeId)));
  if (record === undefined || !isInFlow(record)) {
    return true;
  }
  return after === "backend" && record.phase !== null && !isBeforeTheBackend(record.phase);
}

async function deleteOnce(services: Services, name: string, volumeId: string): Promise<Deletion> {
  try {
    await services.call(name, { volume_id: volumeId });
    return "accepted";
  } catch (error) {
    if (!(error instanceof FunctionFailed)) {
      throw error;
    }
    return error.errorType === "InvalidVolume" ? "refused" : "unanswered";
  }
}
