import type { Microversion } from "../microversions.ts";
import type { Schema } from "../validation.ts";
import * as types from "./types.ts";

/** Bodies of requests about volumes (cinder/api/schemas/volumes.py). */

const CREATE: Readonly<Record<string, Schema>> = {
  name: types.name,
  description: types.description,
  display_name: types.name,
  display_description: types.description,
  volume_type: types.optionalText,
  metadata: types.optionalMetadata,
  snapshot_id: types.optionalUuid,
  source_volid: types.optionalUuid,
  consistencygroup_id: types.optionalUuid,
  size: types.optionalVolumeSize,
  availability_zone: { type: ["string", "null"], minLength: 1, maxLength: 255 },
  multiattach: types.optionalBoolean,
  image_id: types.optionalText,
  imageRef: types.optionalText,
};

/** First microversions of `group_id`, of `backup_id`, and of the refusal of unknown fields. */
const GROUP = 13;
const BACKUP = 47;
export const STRICT = 53;

/** Body of `POST /volumes` at a microversion. */
export function createVolumeSchema(version: Microversion): Schema {
  return {
    type: "object",
    properties: {
      volume: {
        type: "object",
        properties: {
          ...CREATE,
          ...(version >= GROUP && { group_id: types.optionalText }),
          ...(version >= BACKUP && { backup_id: types.optionalUuid }),
        },
        additionalProperties: version < STRICT,
      },
      "OS-SCH-HNT:scheduler_hints": { type: ["object", "null"] },
    },
    required: ["volume"],
    additionalProperties: false,
  };
}
