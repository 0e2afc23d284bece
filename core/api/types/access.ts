import type { VolumeTypeRecord } from "../../records.ts";
import { readAction } from "../actions.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { ApiError, badRequest, notFound } from "../errors.ts";
import { type Answer, type Call, HTML } from "../http.ts";
import { authorize } from "../policies.ts";
import { isUuidLike } from "../schemas/types.ts";
import type { Schema } from "../validation.ts";
import { visibleType } from "./types.ts";

/** Access of projects to private types. */

const PROJECT: Schema = {
  type: "object",
  properties: {
    project: {
      type: "string",
      format: (value) => (isUuidLike(String(value)) ? undefined : `'${String(value)}' is not a 'uuid'`),
    },
  },
  required: ["project"],
  additionalProperties: false,
};

const SCHEMAS = { addProjectAccess: PROJECT, removeProjectAccess: PROJECT } as const;

/** `GET /types/{id}/os-volume-type-access` */
export async function listAccess(deps: ApiDependencies, call: Call): Promise<Answer> {
  const type = await visibleType(deps, call.caller, call.params["id"] ?? "");
  if (type.is_public) {
    throw notFound("Access list not available for public volume types.");
  }
  const projects = Object.keys(type.access ?? {}).toSorted();
  const access = projects.map((project_id) => ({ volume_type_id: type.id, project_id }));
  return { status: 200, body: { volume_type_access: access } };
}

/** `POST /types/{id}/action`: adds a project to those that have access to a private type, or removes it. */
export async function changeAccess(deps: ApiDependencies, call: Call): Promise<Answer> {
  const { name, value } = readAction(call, SCHEMAS);
  const adds = name === "addProjectAccess";
  const rule = adds
    ? "volume_extension:volume_type_access:addProjectAccess"
    : "volume_extension:volume_type_access:removeProjectAccess";
  authorize(call.caller, rule);
  const { project } = value as { project: string };
  const type = await visibleType(deps, call.caller, call.params["id"] ?? "");
  requireChange(type, project, adds);
  const access = adds ? { set: { [project]: "member" } } : { unset: [project] };
  await deps.volumeTypes.change(type.id, { access });
  return { status: 202, headers: HTML };
}

function requireChange(
  { id, is_public: isPublic, access = {} }: VolumeTypeRecord,
  project: string,
  adds: boolean,
): void {
  if (isPublic) {
    throw badRequest("Invalid volume type: Type access modification is not applicable to public volume type.");
  }
  if (adds && Object.hasOwn(access, project)) {
    throw new ApiError(409, `Volume type access for ${id} / ${project} combination already exists.`);
  }
  if (!adds && !Object.hasOwn(access, project)) {
    throw notFound(`Volume type access not found for ${id} / ${project} combination.`);
  }
}
