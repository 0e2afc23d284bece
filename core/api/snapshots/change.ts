import { describeError } from "../../errors.ts";
import { positionOfSnapshot } from "../../projects.ts";
import type { SnapshotRecord } from "../../records.ts";
import { changeSnapshotDetails, requireRoomForSnapshotChange } from "../../snapshots/snapshot-details.ts";
import { requireUnused } from "../../snapshots/delete-snapshot.ts";
import { phaseDeadline } from "../../settings/time-bounds.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { badRequest, notFound } from "../errors.ts";
import { type Answer, type Call, HTML } from "../http.ts";
import { snapshotDetail, snapshotSummary } from "../views/snapshots.ts";
import { visibleSnapshot } from "./find.ts";

type UpdateBody = {
  snapshot: {
    name?: string | null;
    display_name?: string | null;
    description?: string | null;
    display_description?: string | null;
  };
};

const found = (deps: ApiDependencies, { caller, params }: Call): Promise<SnapshotRecord> =>
  visibleSnapshot(deps, caller, params["id"] ?? "");

/** `GET /snapshots/{id}` */
export async function showSnapshot(deps: ApiDependencies, call: Call): Promise<Answer> {
  return { status: 200, body: { snapshot: snapshotDetail(call, await found(deps, call)) } };
}

/** `PUT /snapshots/{id}`: name and description. */
export async function updateSnapshot(deps: ApiDependencies, call: Call): Promise<Answer> {
  const snapshot = await found(deps, call);
  const { snapshot: body } = call.body as UpdateBody;
  const displayName = body.name === undefined ? body.display_name : body.name;
  const displayDescription = body.description === undefined ? body.display_description : body.description;
  const change = {
    ...(displayName !== undefined && { displayName }),
    ...(displayDescription !== undefined && { displayDescription }),
    updatedAt: deps.clock.now(),
  };
  requireRoomForSnapshotChange(snapshot, change);
  if (displayName !== undefined) {
    await deps.projects.rename(positionOfSnapshot(snapshot), displayName);
  }
  const changed = await changeSnapshotDetails(deps.snapshots, snapshot, change);
  return { status: 200, body: { snapshot: snapshotSummary(call, changed) } };
}

/** `GET /snapshots/{id}/metadata` */
export async function showSnapshotMetadata(deps: ApiDependencies, call: Call): Promise<Answer> {
  return { status: 200, body: { metadata: (await found(deps, call)).metadata ?? {} } };
}

/** `POST /snapshots/{id}/metadata` adds to the metadata; `PUT` replaces all of it. */
export async function writeSnapshotMetadata(deps: ApiDependencies, call: Call, replaces: boolean): Promise<Answer> {
  const snapshot = await found(deps, call);
  const { metadata: set } = call.body as { metadata: Record<string, string> };
  const unset = replaces ? Object.keys(snapshot.metadata ?? {}).filter((key) => !Object.hasOwn(set, key)) : [];
  const change = { metadata: { set, unset }, updatedAt: deps.clock.now() };
  const { metadata = {} } = await changeSnapshotDetails(deps.snapshots, snapshot, change);
  return { status: 200, body: { metadata } };
}

/** `GET /snapshots/{id}/metadata/{key}` */
export async function showSnapshotMetadataKey(deps: ApiDependencies, call: Call): Promise<Answer> {
  const key = call.params["key"] ?? "";
  return { status: 200, body: { meta: { [key]: valueOf(await found(deps, call), key) } } };
}

/** `PUT /snapshots/{id}/metadata/{key}` */
export async function writeSnapshotMetadataKey(deps: ApiDependencies, call: Call): Promise<Answer> {
  const snapshot = await found(deps, call);
  const { meta } = call.body as { meta: Record<string, string> };
  if (!Object.hasOwn(meta, call.params["key"] ?? "")) {
    throw badRequest("Request body and URI mismatch");
  }
  await changeSnapshotDetails(deps.snapshots, snapshot, { metadata: { set: meta }, updatedAt: deps.clock.now() });
  return { status: 200, body: { meta } };
}

/** `DELETE /snapshots/{id}/metadata/{key}` */
export async function deleteSnapshotMetadataKey(deps: ApiDependencies, call: Call): Promise<Answer> {
  const snapshot = await found(deps, call);
  const key = call.params["key"] ?? "";
  valueOf(snapshot, key);
  await deps.snapshots.changeDetails(snapshot.id, { metadata: { unset: [key] }, updatedAt: deps.clock.now() });
  return { status: 200, headers: HTML };
}

function valueOf({ id, metadata = {} }: SnapshotRecord, key: string): string {
  const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
  if (value === undefined) {
    throw notFound(`Snapshot ${id} has no metadata with key ${key.slice(0, 255)}.`);
  }
  return value;
}

const NOT_DELETABLE = "Invalid snapshot: Snapshot status must be available or error and must not be part of a group.";

/**
 * `DELETE /snapshots/{id}`: marks the snapshot, then starts its removal.
 *
 * Interrupted after the mark: the sweep continues at the deadline that the mark has set.
 * Repeated: 400 while it is being deleted, 404 when it is gone.
 */
export async function deleteSnapshot(deps: ApiDependencies, call: Call): Promise<Answer> {
  const snapshot = await found(deps, call);
  if (snapshot.status !== "available" && snapshot.status !== "error" && snapshot.status !== "error_deleting") {
    throw badRequest(NOT_DELETABLE);
  }
  try {
    await requireUnused(deps, snapshot);
    await deps.snapshots.beginDelete(snapshot, phaseDeadline(deps, "removal"));
  } catch (error) {
    throw describeError(error).name === "InvalidSnapshot" ? badRequest(NOT_DELETABLE) : error;
  }
  await deps.work.start("DeleteSnapshot", { snapshot_id: snapshot.id });
  return { status: 202, headers: { "Content-Type": "text/html; charset=UTF-8" } };
}
