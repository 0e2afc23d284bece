import { changeVolumeDetails } from "../../requests/create-request.ts";
import type { VolumeRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { badRequest, notFound } from "../errors.ts";
import { type Answer, type Call, HTML } from "../http.ts";
import { booleanOf } from "../parameters.ts";
import { volumeDetail } from "../views/volumes.ts";
import { viewContext, visibleVolume } from "./show.ts";

type UpdateBody = {
  volume: {
    name?: string | null;
    description?: string | null;
    display_name?: string | null;
    display_description?: string | null;
    metadata?: Record<string, string>;
  };
};

/** Changes that replace all metadata by `metadata`. */
function replacement(volume: VolumeRecord, metadata: Readonly<Record<string, string>>) {
  return { set: metadata, unset: Object.keys(volume.metadata).filter((key) => !Object.hasOwn(metadata, key)) };
}

/** `PUT /volumes/{id}`: name, description, metadata. */
export async function updateVolume(deps: ApiDependencies, call: Call): Promise<Answer> {
  const volume = await visibleVolume(deps, call.caller, call.params["id"] ?? "");
  const { volume: body } = call.body as UpdateBody;
  const name = body.name === undefined ? body.display_name : body.name;
  const description = body.description === undefined ? body.display_description : body.description;
  const change = {
    ...(name !== undefined && { displayName: name?.trim() ?? null }),
    ...(description !== undefined && { displayDescription: description?.trim() ?? null }),
    ...(body.metadata !== undefined && { metadata: replacement(volume, body.metadata) }),
  };
  const changed = await changeVolumeDetails(deps, volume, change);
  return { status: 200, body: { volume: volumeDetail(call, changed, await viewContext(deps, [changed])) } };
}

/** `GET /volumes/{id}/metadata` */
export async function showMetadata(deps: ApiDependencies, call: Call): Promise<Answer> {
  const { metadata } = await visibleVolume(deps, call.caller, call.params["id"] ?? "");
  return { status: 200, body: { metadata } };
}

/** `POST /volumes/{id}/metadata` adds to the metadata; `PUT` replaces all of it. */
export async function writeMetadata(deps: ApiDependencies, call: Call, replaces: boolean): Promise<Answer> {
  const volume = await visibleVolume(deps, call.caller, call.params["id"] ?? "");
  const { metadata: set } = call.body as { metadata: Record<string, string> };
  const change = replaces ? replacement(volume, set) : { set };
  const { metadata } = await changeVolumeDetails(deps, volume, { metadata: change });
  return { status: 200, body: { metadata } };
}

/** `GET /volumes/{id}/metadata/{key}` */
export async function showMetadataKey(deps: ApiDependencies, call: Call): Promise<Answer> {
  const volume = await visibleVolume(deps, call.caller, call.params["id"] ?? "");
  const key = call.params["key"] ?? "";
  return { status: 200, body: { meta: { [key]: valueOf(volume, key) } } };
}

/** `PUT /volumes/{id}/metadata/{key}`: the body names the key of the path. */
export async function writeMetadataKey(deps: ApiDependencies, call: Call): Promise<Answer> {
  const volume = await visibleVolume(deps, call.caller, call.params["id"] ?? "");
  const { meta } = call.body as { meta: Record<string, string> };
  if (!Object.hasOwn(meta, call.params["key"] ?? "")) {
    throw badRequest("Request body and URI mismatch");
  }
  await changeVolumeDetails(deps, volume, { metadata: { set: meta } });
  return { status: 200, body: { meta } };
}

/** `DELETE /volumes/{id}/metadata/{key}` */
export async function deleteMetadataKey(deps: ApiDependencies, call: Call): Promise<Answer> {
  const volume = await visibleVolume(deps, call.caller, call.params["id"] ?? "");
  const key = call.params["key"] ?? "";
  valueOf(volume, key);
  await changeVolumeDetails(deps, volume, { metadata: { unset: [key] } });
  return { status: 200, headers: HTML };
}

function valueOf({ id, metadata }: VolumeRecord, key: string): string {
  const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
  if (value === undefined) {
    throw notFound(`Volume ${id} has no metadata with key ${key.slice(0, 255)}.`);
  }
  return value;
}

/** `os-set_bootable` */
export async function setBootable(deps: ApiDependencies, volume: VolumeRecord, body: unknown): Promise<Answer> {
  const { bootable } = body as { bootable: boolean | string };
  await changeVolumeDetails(deps, volume, { bootable: booleanOf(String(bootable)) ?? false });
  return { status: 200 };
}
