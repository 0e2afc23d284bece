import { type ApiError, badRequest, overLimit } from "../errors.ts";
import { pythonRepr } from "../../text/python-str.ts";
import { isObject, lengthOf, type Schema } from "../validation.ts";
import * as types from "./types.ts";
import { STRICT } from "./volumes.ts";

/** Bodies of requests about details of volumes and types (cinder/api/schemas). */

const object = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});

/** Body of `PUT /volumes/{id}`; from 3.53 on it has to change something. */
export function updateVolumeSchema(version: number): Schema {
  const volume = object({
    name: types.name,
    description: types.description,
    display_name: types.name,
    display_description: types.description,
    metadata: types.metadata,
  });
  const fields = ["name", "description", "display_name", "display_description", "metadata"];
  const anyOf = fields.map((field): Schema => ({ required: [field] }));
  return object({ volume: version >= STRICT ? { ...volume, anyOf } : volume }, ["volume"]);
}

/** Body of `POST` and `PUT` of all metadata. */
export const metadataSchema = (): Schema => object({ metadata: types.metadata }, ["metadata"]);

/** Body of `PUT` of one key. */
export const metaSchema = (): Schema =>
  object({ meta: { ...types.metadata, minProperties: 1, maxProperties: 1 } }, ["meta"]);

/** Values of a snapshot's metadata, in words of their own (`check_metadata_properties` of cinder/utils.py). */
function snapshotMetadataProblem(value: unknown): ApiError | undefined {
  for (const [key, text] of isObject(value) ? Object.entries(value) : []) {
    if (typeof text !== "string") {
      const reason = `Value for metadata key: ${key.slice(0, 255)} is not a string or unicode`;
      return badRequest(`Invalid metadata: Invalid input received: ${reason}`);
    }
    if (lengthOf(text) > 255) {
      const reason = `Metadata property key ${key.slice(0, 255)} value greater than 255 characters.`;
      return overLimit(`Invalid metadata size: ${reason}`);
    }
  }
  return undefined;
}

const snapshotMetadata: Schema = { type: "object", format: snapshotMetadataProblem, ...types.metadata };

/** Body of `POST` and `PUT` of all metadata of a snapshot. */
export const snapshotMetadataSchema = (): Schema => object({ metadata: snapshotMetadata }, ["metadata"]);

/** Body of `PUT` of one key of a snapshot's metadata. */
export const snapshotMetaSchema = (): Schema =>
  object({ meta: { ...snapshotMetadata, minProperties: 1, maxProperties: 1 } }, ["meta"]);

const SPEC_KEY = "^[a-zA-Z0-9-_:.]{1,255}$";

const extraSpecs: Schema = {
  type: "object",
  patternProperties: { [SPEC_KEY]: { type: ["string", "null"], minLength: 0, maxLength: 255 } },
  additionalProperties: false,
};

/** Body of `POST /types/{id}/extra_specs`. */
export const extraSpecsSchema = (): Schema => object({ extra_specs: extraSpecs }, ["extra_specs"]);

/** Body of `PUT /types/{id}/extra_specs/{key}`. */
export const extraSpecSchema = (): Schema => ({ ...extraSpecs, minProperties: 1, maxProperties: 1 });

/** A boolean, or null, which cinderclient sends for what it does not set; the message is that of a boolean alone. */
const nullableBoolean: Schema = {
  type: ["boolean", "string", "null"],
  format: (value) =>
    value === null || types.boolean.enum?.includes(value) === true
      ? undefined
      : `${pythonRepr(value)} is not one of ${pythonRepr(types.boolean.enum)}`,
};

/** Body of `POST /snapshots`. */
export const createSnapshotSchema = (): Schema =>
  object(
    {
      snapshot: object(
        {
          name: types.optionalText,
          display_name: types.optionalText,
          description: { type: ["string", "null"], minLength: 0, maxLength: 255, pattern: PRINTABLE },
          volume_id: types.optionalUuid,
          force: nullableBoolean,
          metadata: types.optionalMetadata,
        },
        ["volume_id"],
      ),
    },
    ["snapshot"],
  );

/** Body of `PUT /snapshots/{id}`. */
export const updateSnapshotSchema = (): Schema => {
  const description: Schema = { type: ["string", "null"], minLength: 0, maxLength: 255, pattern: PRINTABLE };
  const properties = {
    name: types.optionalText,
    description,
    display_name: types.optionalText,
    display_description: description,
  };
  const anyOf = Object.keys(properties).map((field): Schema => ({ required: [field] }));
  return object({ snapshot: { ...object(properties), anyOf } }, ["snapshot"]);
};

/** No control characters, and no spaces but horizontal ones. */
const PRINTABLE = "^[^\\p{C}\\p{Zl}\\p{Zp}]*$";

const typeName: Schema = {
  type: "string",
  minLength: 1,
  maxLength: 255,
  format: (value) =>
    typeof value === "string" && value.trim() === ""
      ? badRequest("An invalid 'name' value was provided. The 'name' can not be empty.")
      : undefined,
};

const typeDescription: Schema = { type: ["string", "null"], minLength: 0, maxLength: 255, pattern: PRINTABLE };

/** Body of `POST /types`. */
export const createTypeSchema = (): Schema =>
  object(
    {
      volume_type: object(
        {
          name: typeName,
          description: typeDescription,
          extra_specs: {
            type: "object",
            patternProperties: { [types.METADATA_KEY]: { type: ["string", "null"], maxLength: 255 } },
            additionalProperties: false,
          },
          "os-volume-type-access:is_public": types.boolean,
        },
        ["name"],
      ),
    },
    ["volume_type"],
  );

/** Body of `PUT /types/{id}`. */
export const updateTypeSchema = (): Schema =>
  object(
    {
      volume_type: object({
        name: { type: ["string", "null"], minLength: 1, maxLength: 255 },
        description: typeDescription,
        is_public: types.boolean,
      }),
    },
    ["volume_type"],
  );
