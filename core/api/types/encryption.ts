import type { TypeEncryption, VolumeTypeRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { type ApiError, badRequest, invalidInput, notFound } from "../errors.ts";
import type { Answer, Call } from "../http.ts";
import { apiTime } from "../links.ts";
import { MAX_INT } from "../parameters.ts";
import type { Schema } from "../validation.ts";
import { isInUse, storedType, visibleType } from "./types.ts";

/**
 * The encryption record of a volume type (cinder/api/contrib/volume_type_encryption.py). It is kept and shown. No driver here encrypts, so a
 * volume of such a type is refused.
 */

const SPECS: Readonly<Record<string, Schema>> = {
  provider: { type: "string", minLength: 0, maxLength: 255 },
  control_location: { enum: ["front-end", "back-end"] },
  cipher: { type: ["string", "null"], minLength: 0, maxLength: 255 },
  key_size: { type: ["string", "integer", "null"], minimum: 0, maximum: MAX_INT, format: keySizeProblem },
};

/** `is_int_like` of oslo.utils: a text is the shortest one of its number. */
function keySizeProblem(value: unknown): ApiError | undefined {
  return typeof value !== "string" || /^(0|[1-9]\d*)$/.test(value)
    ? undefined
    : invalidInput("key_size must be an integer.");
}

const bodySchema = (required: readonly string[]): Schema => ({
  type: "object",
  properties: {
    encryption: { type: "object", properties: SPECS, required: [...required], additionalProperties: true },
  },
  required: ["encryption"],
  additionalProperties: false,
});

/** Bodies of a create and of an update. */
export const createEncryptionSchema = bodySchema(["provider", "control_location"]);
export const updateEncryptionSchema = bodySchema([]);

type EncryptionBody = {
  encryption: {
    provider?: string;
    control_location?: TypeEncryption["control_location"];
    cipher?: string | null;
    key_size?: number | string | null;
  };
};

function specsOf(type: VolumeTypeRecord, encryption: TypeEncryption): Record<string, string | number | null> {
  const { created_at: _created, updated_at: _updated, ...specs } = encryption;
  return { volume_type_id: type.id, ...specs };
}

/** `GET /types/{id}/encryption`: empty when there is none. */
export async function showEncryption(deps: ApiDependencies, call: Call): Promise<Answer> {
  const type = await visibleType(deps, call.caller, call.params["id"] ?? "");
  const { encryption } = type;
  if (encryption === undefined) {
    return { status: 200, body: {} };
  }
  const { created_at: createdAt, updated_at: updatedAt } = encryption;
  const times = {
    created_at: apiTime(createdAt),
    updated_at: updatedAt === null ? null : apiTime(updatedAt),
    deleted_at: null,
    deleted: false,
  };
  return { status: 200, body: { ...specsOf(type, encryption), ...times } };
}

/** `GET /types/{id}/encryption/{key}`: the bare key and value. */
export async function showEncryptionSpec(deps: ApiDependencies, call: Call): Promise<Answer> {
  const key = call.params["key"] ?? "";
  const type = await visibleType(deps, call.caller, call.params["id"] ?? "");
  const specs = type.encryption === undefined ? {} : specsOf(type, type.encryption);
  if (!Object.hasOwn(specs, key)) {
    throw missing(type.id);
  }
  return { status: 200, body: { [key]: specs[key] } };
}

/** `POST /types/{id}/encryption`, while no volume is of the type. Repeated, two at once: the later one stays. */
export async function createEncryption(deps: ApiDependencies, call: Call): Promise<Answer> {
  const type = await storedType(deps, call);
  if (type.encryption !== undefined) {
    throw badRequest(`Volume type encryption for type ${type.id} already exists.`);
  }
  await requireUnused(deps, type.id, "create");
  const { encryption: body } = call.body as EncryptionBody;
  const encryption: TypeEncryption = {
    encryption_id: deps.newId(),
    provider: body.provider ?? "",
    control_location: body.control_location ?? "front-end",
    cipher: body.cipher ?? null,
    key_size: keySizeOf(body.key_size),
    created_at: deps.clock.now().toISOString(),
    updated_at: null,
  };
  await deps.volumeTypes.change(type.id, { encryption });
  return { status: 200, body: { encryption: specsOf(type, encryption) } };
}

/** `PUT /types/{id}/encryption/{key}`; the key is of no account, as in Cinder. */
export async function updateEncryption(deps: ApiDependencies, call: Call): Promise<Answer> {
  const type = await visibleType(deps, call.caller, call.params["id"] ?? "");
  if (type.encryption === undefined) {
    throw missing(type.id);
  }
  await requireUnused(deps, type.id, "update");
  const { encryption: body } = call.body as EncryptionBody;
  const encryption: TypeEncryption = {
    ...type.encryption,
    ...(body.provider !== undefined && { provider: body.provider }),
    ...(body.control_location !== undefined && { control_location: body.control_location }),
    ...(body.cipher !== undefined && { cipher: body.cipher }),
    ...(body.key_size !== undefined && { key_size: keySizeOf(body.key_size) }),
    updated_at: deps.clock.now().toISOString(),
  };
  await deps.volumeTypes.change(type.id, { encryption });
  return { status: 200, body: { encryption: body } };
}

/** `DELETE /types/{id}/encryption/{key}`; the key is of no account, as in Cinder. */
export async function deleteEncryption(deps: ApiDependencies, call: Call): Promise<Answer> {
  const type = await visibleType(deps, call.caller, call.params["id"] ?? "");
  if (type.encryption === undefined) {
    throw missing(type.id);
  }
  await requireUnused(deps, type.id, "delete");
  await deps.volumeTypes.change(type.id, { encryption: null });
  return { status: 202, headers: { "Content-Type": "text/html; charset=UTF-8" } };
}

function missing(typeId: string) {
  return notFound(`Volume type encryption for type ${typeId} does not exist.`);
}

function keySizeOf(value: number | string | null | undefined): number | null {
  return value === null || value === undefined || value === "" ? null : Number(value);
}

async function requireUnused(deps: ApiDependencies, typeId: string, what: string): Promise<void> {
  if (await isInUse(deps, typeId)) {
    throw badRequest(`Cannot ${what} encryption specs. Volume type in use.`);
  }
}
