import { lengthOf, type Schema } from "../validation.ts";
import { invalidInput } from "../errors.ts";
import { MAX_INT } from "../parameters.ts";

/** Types of parameters that several schemas share (cinder/api/validation/parameter_types.py). */

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

/** Whether a text is a UUID as oslo.utils reads one, with or without hyphens. */
export function isUuidLike(text: string): boolean {
  return UUID.test(text);
}

/** A name or a description of at most 255 characters, without the spaces around it. */
const shortText = (what: string): Schema => ({
  type: ["string", "null"],
  format: (value) => {
    const length = typeof value === "string" ? lengthOf(value.trim()) : 0;
    return length > 255 ? invalidInput(`${what} has ${length} characters, more than 255.`) : undefined;
  },
});

/** `name_non_mandatory_remove_white_spaces` */
export const name = shortText("name");
/** `description_non_mandatory_remove_white_spaces` */
export const description = shortText("description");

/** Any text of at most 255 characters, or none. */
export const optionalText: Schema = { type: ["string", "null"], minLength: 0, maxLength: 255 };

/** A UUID. */
export const uuid: Schema = {
  type: "string",
  format: (value) => (isUuidLike(String(value)) ? undefined : `'${String(value)}' is not a 'uuid'`),
};

/** A UUID, or none. */
export const optionalUuid: Schema = {
  oneOf: [
    { type: "null" },
    { type: "string", format: (value) => (isUuidLike(String(value)) ? undefined : "is not a 'uuid'") },
  ],
};

/** Key and value of metadata and extra specs. */
export const METADATA_KEY = "^[a-zA-Z0-9-_:. /]{1,255}$";

/** Metadata: texts by key. */
export const metadata: Schema = {
  type: "object",
  patternProperties: { [METADATA_KEY]: { type: "string", maxLength: 255 } },
  additionalProperties: false,
};

/** Metadata, or none. */
export const optionalMetadata: Schema = { ...metadata, type: ["object", "null"] };

/** A size in GiB; a text of digits counts as one. */
export const volumeSize: Schema = { type: ["integer", "string"], pattern: "^[0-9]+$", minimum: 1, maximum: MAX_INT };

/** A size, or none. */
export const optionalVolumeSize: Schema = { ...volumeSize, type: ["integer", "string", "null"] };

/** Every spelling of a boolean. */
export const boolean: Schema = {
  type: ["boolean", "string"],
  // oxfmt-ignore
  enum: [
    true, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t",
    false, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f",
  ],
};

/** A boolean, or none. */
export const optionalBoolean: Schema = { oneOf: [{ type: "null" }, boolean] };
