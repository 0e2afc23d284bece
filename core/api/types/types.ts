import type { VolumeTypeRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { ApiError, badRequest, notFound } from "../errors.ts";
import type { Answer, Call, Caller } from "../http.ts";
import { linksOfPage } from "../links.ts";
import { booleanOf, paginationOf, sortOf } from "../parameters.ts";
import { DEFAULT_TYPE_ID, defaultType, findType, recordedType } from "./default-type.ts";
import { allTypes, takeTypeName } from "./names.ts";
import { isVisibleType } from "./visible.ts";

type TypeBody = {
  volume_type: {
    name?: string | null;
    description?: string | null;
    extra_specs?: Record<string, string | null>;
    is_public?: boolean | string;
    "os-volume-type-access:is_public"?: boolean | string;
  };
};

/** A type as its view has it; members see no extra specs. */
function typeView(caller: Caller, type: VolumeTypeRecord, shown: { access: boolean }): Record<string, unknown> {
  return {
    id: type.id,
    name: type.name,
    is_public: type.is_public,
    description: type.description,
    extra_specs: caller.isAdmin ? type.extra_specs : {},
    ...(caller.isAdmin && { qos_specs_id: null }),
    ...(shown.access && { "os-volume-type-access:is_public": type.is_public }),
  };
}

/** Sort keys of types. */
const COLUMNS: Readonly<Record<string, (type: VolumeTypeRecord) => string>> = {
  id: ({ id }) => id,
  name: ({ name }) => name,
  created_at: ({ created_at: at }) => at,
  is_public: ({ is_public: isPublic }) => String(isPublic),
  description: ({ description }) => description ?? "",
};

const SORT_KEYS = Object.fromEntries(Object.keys(COLUMNS).map((key) => [key, key]));

/** `GET /types` */
export async function listTypes(deps: ApiDependencies, call: Call): Promise<Answer> {
  const { caller, query } = call;
  const { limit, marker, offset } = paginationOf(query);
  const [order] = sortOf(query, SORT_KEYS);
  const isPublic = publicFilter(call);
  const name = query.get("name");
  const types = (await allTypes(deps))
    .filter((type) => isVisibleType(caller, type))
    .filter((type) => isPublic === undefined || type.is_public === isPublic)
    .filter((type) => name === null || !caller.isAdmin || type.name === name)
    .toSorted((one, other) => {
      const column = COLUMNS[order?.key ?? ""] ?? COLUMNS["created_at"];
      const [left, right] = [`${column?.(one)} ${one.id}`, `${column?.(other)} ${other.id}`];
      return (left < right ? -1 : 1) * (order?.descending === false ? 1 : -1);
    });
  const begin = marker === null ? 0 : types.findIndex(({ id }) => id === marker) + 1;
  if (marker !== null && begin === 0) {
    throw missing(marker);
  }
  const page = types.slice(begin + offset, begin + offset + limit);
  return {
    status: 200,
    body: {
      volume_types: page.map((type) => typeView(caller, type, { access: true })),
      ...linksOfPage(call, { collection: "types", links: "volume_type_links", ids: page.map(({ id }) => id), limit }),
    },
  };
}

/**
 * `is_public` of an administrator: a boolean, or `None` for all; public ones without it. Members see the types to which they have access.
 */
function publicFilter({ caller, query }: Call): boolean | undefined {
  if (!caller.isAdmin) {
    return undefined;
  }
  const text = query.get("is_public");
  if (text === null) {
    return true;
  }
  if (text.toLowerCase() === "none") {
    return undefined;
  }
  const value = booleanOf(text);
  if (value === undefined) {
    throw badRequest(`Invalid is_public filter [${text.slice(0, 255)}]`);
  }
  return value;
}

function missing(id: string): ApiError {
  return notFound(`Volume type ${id.slice(0, 255)} could not be found.`);
}

/** The type of an id that the caller may see. @throws ApiError 404, also for a name */
export async function visibleType(deps: ApiDependencies, caller: Caller, id: string): Promise<VolumeTypeRecord> {
  const found = id.length > 255 ? undefined : await findType(deps.volumeTypes, id);
  if (found === undefined || !isVisibleType(caller, found)) {
    throw missing(id);
  }
  return found;
}

/** `GET /types/{id}` */
export async function showType(deps: ApiDependencies, call: Call): Promise<Answer> {
  const type = await visibleType(deps, call.caller, call.params["id"] ?? "");
  return { status: 200, body: { volume_type: typeView(call.caller, type, { access: true }) } };
}

/** `GET /types/default` */
export async function showDefaultType(deps: ApiDependencies, call: Call): Promise<Answer> {
  const type = await defaultType(deps);
  return { status: 200, body: { volume_type: typeView(call.caller, type, { access: false }) } };
}

/**
 * `POST /types`. Its name is taken by one conditional write first, so two at once with one name are one type.
 *
 * Interrupted after the name is taken: see {@link takeTypeName}.
 */
export async function createType(deps: ApiDependencies, call: Call): Promise<Answer> {
  const { volume_type: body } = call.body as TypeBody;
  const name = body.name?.trim() ?? "";
  const id = deps.newId();
  await requireName(deps, name, id);
  const type: VolumeTypeRecord = {
    id,
    name,
    description: body.description ?? null,
    extra_specs: Object.fromEntries(
      Object.entries(body.extra_specs ?? {}).map(([key, value]) => [key, value ?? "None"]),
    ),
    is_public: booleanOf(String(body["os-volume-type-access:is_public"] ?? true)) ?? true,
    created_at: deps.clock.now().toISOString(),
  };
  await deps.volumeTypes.create(type);
  const { qos_specs_id: _none, ...view } = typeView(call.caller, type, { access: true });
  return { status: 200, body: { volume_type: view } };
}

/** Takes a name for a type. @throws ApiError 409 when another type has it */
async function requireName(deps: ApiDependencies, name: string, id: string): Promise<void> {
  if (!(await takeTypeName(deps, name, id))) {
    throw new ApiError(409, `Volume Type ${name} already exists.`);
  }
}

/** The stored type; the default type gets its record when it is changed for the first time. */
export async function storedType(deps: ApiDependencies, call: Call): Promise<VolumeTypeRecord> {
  return recordedType(deps.volumeTypes, await visibleType(deps, call.caller, call.params["id"] ?? ""));
}

/** `PUT /types/{id}` */
export async function updateType(deps: ApiDependencies, call: Call): Promise<Answer> {
  const { name: given = null, description = null, is_public: isPublic = null } = (call.body as TypeBody).volume_type;
  if (given === null && description === null && isPublic === null) {
    throw badRequest("Specify volume type name, description, is_public or a combination thereof.");
  }
  const type = await storedType(deps, call);
  const name = given?.trim();
  if (name === "") {
    throw badRequest("Volume type name can not be empty.");
  }
  if (name !== undefined) {
    await requireName(deps, name, type.id);
  }
  const changed = await deps.volumeTypes.change(type.id, {
    ...(name !== undefined && { name }),
    ...(description !== null && { description }),
    ...(isPublic !== null && { isPublic: booleanOf(String(isPublic)) ?? true }),
  });
  if (name !== undefined && name !== type.name) {
    await deps.projects.releaseName("volume_type", type.name, type.id);
  }
  const { qos_specs_id: _none, ...view } = typeView(call.caller, changed, { access: false });
  return { status: 200, body: { volume_type: view } };
}

/** `DELETE /types/{id}` */
export async function deleteType(deps: ApiDependencies, call: Call): Promise<Answer> {
  const type = await visibleType(deps, call.caller, call.params["id"] ?? "");
  if (type.id === (await defaultType(deps)).id) {
    throw badRequest(`The volume type ${type.id} is a default volume type and cannot be deleted.`);
  }
  // A volume without a type in its record shows this one.
  if (type.id === DEFAULT_TYPE_ID || (await isInUse(deps, type.id))) {
    throw badRequest("Target volume type is still in use.");
  }
  await deps.volumeTypes.delete(type.id);
  await deps.projects.releaseName("volume_type", type.name, type.id);
  return { status: 202, headers: { "Content-Type": "text/html; charset=UTF-8" } };
}

/** Whether any project's volume is of the type, by the lists: for administrators only. */
export async function isInUse({ projects, volumes }: ApiDependencies, typeId: string): Promise<boolean> {
  const entries = await projects.listAll("volume");
  const records = await volumes.getMany(entries.map(({ id }) => id));
  return [...records.values()].some(({ volume_type_id: id }) => id === typeId);
}

/** `GET /types/{id}/extra_specs` */
export async function listExtraSpecs(deps: ApiDependencies, call: Call): Promise<Answer> {
  const { extra_specs: specs } = await visibleType(deps, call.caller, call.params["id"] ?? "");
  return { status: 200, body: { extra_specs: call.caller.isAdmin ? specs : {} } };
}

/** The stored type, whose extra specs may change: no volume is of it (`allow_inuse_volume_type_modification` of Cinder, which is off). */
async function changeableType(deps: ApiDependencies, call: Call): Promise<VolumeTypeRecord> {
  const type = await storedType(deps, call);
  if (await isInUse(deps, type.id)) {
    throw badRequest("Volume Type is currently in use.");
  }
  return type;
}

/** `POST /types/{id}/extra_specs` adds to the specs. */
export async function addExtraSpecs(deps: ApiDependencies, call: Call): Promise<Answer> {
  const type = await changeableType(deps, call);
  const { extra_specs: specs } = call.body as { extra_specs: Record<string, string | null> };
  if (Object.keys(specs).length > 0) {
    await deps.volumeTypes.change(type.id, { extraSpecs: { set: textsOf(specs) } });
  }
  return { status: 200, body: { extra_specs: specs } };
}

/** `GET /types/{id}/extra_specs/{key}`: the bare key and value. */
export async function showExtraSpec(deps: ApiDependencies, call: Call): Promise<Answer> {
  const key = call.params["key"] ?? "";
  const type = await visibleType(deps, call.caller, call.params["id"] ?? "");
  return { status: 200, body: { [key]: specOf(type, key) } };
}

/** `PUT /types/{id}/extra_specs/{key}`: the body is the key of the path with its value. */
export async function writeExtraSpec(deps: ApiDependencies, call: Call): Promise<Answer> {
  const body = call.body as Record<string, string | null>;
  const type = await changeableType(deps, call);
  if (!Object.hasOwn(body, call.params["key"] ?? "")) {
    throw badRequest("Request body and URI mismatch");
  }
  await deps.volumeTypes.change(type.id, { extraSpecs: { set: textsOf(body) } });
  return { status: 200, body };
}

/** `DELETE /types/{id}/extra_specs/{key}` */
export async function deleteExtraSpec(deps: ApiDependencies, call: Call): Promise<Answer> {
  const type = await changeableType(deps, call);
  const key = call.params["key"] ?? "";
  specOf(type, key);
  await deps.volumeTypes.change(type.id, { extraSpecs: { unset: [key] } });
  return { status: 202 };
}

function specOf({ id, extra_specs: specs }: VolumeTypeRecord, key: string): string {
  const value = Object.hasOwn(specs, key) ? specs[key] : undefined;
  if (value === undefined) {
    throw notFound(`Volume Type ${id} has no extra specs with key ${key.slice(0, 255)}.`);
  }
  return value;
}

function textsOf(specs: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(Object.entries(specs).map(([key, value]) => [key, value ?? "None"]));
}
