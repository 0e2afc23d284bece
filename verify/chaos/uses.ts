import { setTimeout as delay } from "node:timers/promises";
import type { Api, ApiAnswer } from "./api.ts";
import { hasCome } from "./deletions.ts";
import type { AcceptedVolume, ApiSnapshot } from "./evidence.ts";
import type { Services } from "./services.ts";
import type { Use } from "./work.ts";

/** Dependencies of using a volume. */
export type User = { services: Services; api: Api; snapshots: ApiSnapshot[]; signal: AbortSignal };

/** Uses a volume through the API when its create has ended. One that is not available then is left alone. */
export async function useLater(user: User, volume: AcceptedVolume, use: Use): Promise<void> {
  const { services, api, signal } = user;
  while (!(await hasCome(services, volume.id, "create", signal))) {
    await delay(100);
  }
  if ((await shownStatus(api, "volume", volume)) !== "available") {
    return;
  }
  switch (use.what) {
    case "extend":
      return extend(api, volume, use.sizeGib);
    case "snapshot":
      return takeSnapshot(user, volume, use);
    case "reset":
      return reset(api, volume, use.status);
    default:
      return use satisfies never;
  }
}

/**
 * A repeated request is refused while the volume is extending: by the first one, which was accepted then. The embedded cloud repeats a call
 * as well, when another function ends its thread.
 */
async function extend(api: Api, volume: AcceptedVolume, sizeGib: number): Promise<void> {
  const { status, body, tries } = await act(api, volume, { "os-extend": { new_size: sizeGib } });
  const isUnderWay = JSON.stringify(body).includes("current status is: extending");
  if (status === 202 || (status === 400 && (tries > 1 || isUnderWay))) {
    volume.extendedTo = sizeGib;
  } else if (status !== 413) {
    throw new Error(`the extension of ${volume.id} is answered by ${status}: ${JSON.stringify(body)}`);
  }
}

/** An operator sets `error`, and sets a second status later. */
async function reset(api: Api, volume: AcceptedVolume, last: "error" | "available"): Promise<void> {
  for (const status of ["error", last] as const) {
    const answer = await act(api, volume, { "os-reset_status": { status } });
    if (answer.status !== 202) {
      throw new Error(`the new status of ${volume.id} is answered by ${answer.status}`);
    }
    volume.resetTo = status;
  }
}

function act(api: Api, { id, project }: AcceptedVolume, body: object): Promise<ApiAnswer> {
  return api.ask({ project, method: "POST", path: `/volumes/${id}/action`, body });
}

/** Snapshots have no key: after a lost answer the client looks for the name first. */
async function takeSnapshot(
  { api, snapshots }: User,
  { id: volumeId, project }: AcceptedVolume,
  { name, isDeleted }: Extract<Use, { what: "snapshot" }>,
): Promise<void> {
  let snapshotId: string | undefined;
  while (snapshotId === undefined) {
    const body = { snapshot: { volume_id: volumeId, name } };
    const answer = await api.askOnce({ project, method: "POST", path: "/snapshots", body });
    if (answer?.status === 413) {
      return;
    }
    if (answer !== undefined && answer.status < 500 && answer.status !== 202) {
      throw new Error(`the snapshot ${name} is answered by ${answer.status}: ${JSON.stringify(answer.body)}`);
    }
    snapshotId =
      answer?.status === 202 ? (answer.body["snapshot"] as { id: string }).id : await found(api, project, name);
  }
  const snapshot: ApiSnapshot = { name, project, deletion: "none" };
  snapshots.push(snapshot);
  if (isDeleted) {
    await deleteSnapshot(api, snapshotId, project);
    snapshot.deletion = "accepted";
  }
}

/**
 * Repeats a deletion until it is accepted. It is refused while the snapshot is being taken, and where a repeated call of the function that
 * takes it changes the status between the read and the write of the deletion. It is refused as well after a first request that was accepted.
 */
export async function deleteSnapshot(api: Api, id: string, project: string): Promise<void> {
  for (;;) {
    while (await isBeingTaken(api, id, project)) {
      await delay(200);
    }
    const { status, body } = await api.ask({ project, method: "DELETE", path: `/snapshots/${id}` });
    const shown = await shownStatus(api, "snapshot", { id, project });
    if (status === 202 || shown === undefined || shown === "deleting" || shown === "error_deleting") {
      return;
    }
    if (status !== 400) {
      throw new Error(`the deletion of snapshot ${id} is answered by ${status}: ${JSON.stringify(body)}`);
    }
    await delay(200);
  }
}

async function found(api: Api, project: string, name: string): Promise<string | undefined> {
  const { body } = await api.ask({ project, method: "GET", path: `/snapshots/detail?name=${name}` });
  return (body["snapshots"] as { id: string }[])[0]?.id;
}

async function isBeingTaken(api: Api, id: string, project: string): Promise<boolean> {
  const status = await shownStatus(api, "snapshot", { id, project });
  return status === "creating";
}

/** Its status as the API shows it; undefined when it is gone. */
async function shownStatus(
  api: Api,
  kind: "volume" | "snapshot",
  { id, project }: { id: string; project: string },
): Promise<string | undefined> {
  const { body } = await api.ask({ project, method: "GET", path: `/${kind}s/${id}` });
  return (body[kind] as { status: string } | undefined)?.status;
}
