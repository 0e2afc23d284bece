import { changeVolumeDetails } from "../../requests/create-request.ts";
import type { VolumeRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { type ApiError, notFound } from "../errors.ts";
import { type Answer, HTML } from "../http.ts";
import { METADATA_KEY } from "../schemas/types.ts";
import type { Schema } from "../validation.ts";

/** A volume's metadata of its image (cinder/api/contrib/volume_image_metadata.py). */

/** Body of `os-set_image_metadata`. */
export const setImageMetadataSchema: Schema = {
  type: "object",
  properties: {
    metadata: {
      type: "object",
      patternProperties: { [METADATA_KEY]: { type: "string", maxLength: 255 } },
      additionalProperties: false,
    },
  },
  required: ["metadata"],
  additionalProperties: false,
};

/** Body of `os-unset_image_metadata`. */
export const unsetImageMetadataSchema: Schema = {
  type: "object",
  properties: { key: { type: "string", minLength: 1, maxLength: 255 } },
  required: ["key"],
  additionalProperties: false,
};

/** `os-show_image_metadata` @throws ApiError 404 for a volume that has none */
export async function showImageMetadata(_deps: ApiDependencies, volume: VolumeRecord): Promise<Answer> {
  if (Object.keys(volume.glance_metadata).length === 0) {
    throw noImageMetadata(volume);
  }
  return { status: 200, body: { metadata: volume.glance_metadata } };
}

/** `os-set_image_metadata` adds to it. Repeated: nothing changes. */
export async function setImageMetadata(deps: ApiDependencies, volume: VolumeRecord, body: unknown): Promise<Answer> {
  const { metadata: set } = body as { metadata: Record<string, string> };
  const { glance_metadata: metadata } = await changeVolumeDetails(deps, volume, { glanceMetadata: { set } });
  return { status: 200, body: { metadata } };
}

/** `os-unset_image_metadata` */
export async function unsetImageMetadata(deps: ApiDependencies, volume: VolumeRecord, body: unknown): Promise<Answer> {
  const { key } = body as { key: string };
  if (!Object.hasOwn(volume.glance_metadata, key)) {
    throw noImageMetadata(volume);
  }
  await changeVolumeDetails(deps, volume, { glanceMetadata: { unset: [key] } });
  return { status: 200, headers: HTML };
}

function noImageMetadata({ id }: VolumeRecord): ApiError {
  return notFound(`Glance metadata for volume/snapshot ${id} cannot be found.`);
}
