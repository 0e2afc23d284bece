import { type ProjectQuota, UNLIMITED } from "../../projects.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { ApiError, badRequest, forbidden, invalidInput } from "../errors.ts";
import type { Answer, Call } from "../http.ts";
import { booleanParameter, integerParameter, MAX_INT } from "../parameters.ts";
import { allTypes } from "../types/names.ts";
import { isObject } from "../validation.ts";
import { DEFAULT_CLASS, DEFAULT_LIMITS, effectiveLimits, quotaOf } from "./limits.ts";

/** Resources that a type has limits of its own for. */
const PER_TYPE = ["volumes", "gigabytes", "snapshots"] as const;

/** Keys of the store by how a request calls them: a type by its name, where the store has its id. */
async function keysByName(deps: ApiDependencies): Promise<Map<string, string>> {
  const keys = new Map(Object.keys(DEFAULT_LIMITS).map((name) => [name, name]));
  for (const { id, name } of await allTypes(deps)) {
    for (const resource of PER_TYPE) {
      keys.set(`${resource}_${name}`, `${resource}_${id}`);
    }
  }
  return keys;
}

/** Every limit by its name in answers. */
async function shownLimits(
  deps: ApiDependencies,
  limits: Readonly<Record<string, number>>,
): Promise<Record<string, number>> {
  const keys = await keysByName(deps);
  return Object.fromEntries([...keys].map(([name, key]) => [name, limits[key] ?? UNLIMITED]));
}

/** Most characters of a project's id in Cinder's database. */
const LONGEST_PROJECT = 255;

function projectOf({ params }: Call): string {
  return possibleProject(params["project"] ?? "");
}

/** @throws ApiError 400 for an id that no project has: the store cannot be asked for it */
function possibleProject(id: string): string {
  if (id === "" || id.length > LONGEST_PROJECT) {
    throw invalidInput(`project_id has ${id.length} characters, not 1 to ${LONGEST_PROJECT}.`);
  }
  return id;
}

/** `GET /limits` */
export async function showLimits(deps: ApiDependencies, call: Call): Promise<Answer> {
  const asked = call.caller.isAdmin ? call.query.get("project_id") : null;
  const { quota, limits } = await quotaOf(deps.projects, possibleProject(asked ?? call.caller.projectId));
  const used = (resource: string): number => quota.used[resource] ?? 0;
  return {
    status: 200,
    body: {
      limits: {
        rate: [],
        absolute: {
          maxTotalVolumes: limits["volumes"],
          maxTotalSnapshots: limits["snapshots"],
          maxTotalVolumeGigabytes: limits["gigabytes"],
          maxTotalBackups: limits["backups"],
          maxTotalBackupGigabytes: limits["backup_gigabytes"],
          totalVolumesUsed: used("volumes"),
          totalGigabytesUsed: used("gigabytes"),
          totalSnapshotsUsed: used("snapshots"),
          totalBackupsUsed: 0,
          totalBackupGigabytesUsed: 0,
        },
      },
    },
  };
}

/** `GET /os-quota-sets/{project}`: limits, or with `usage` what is in use and reserved as well. */
export async function showQuotaSet(deps: ApiDependencies, call: Call): Promise<Answer> {
  const project = projectOf(call);
  if (!call.caller.isAdmin && project !== call.caller.projectId) {
    throw forbidden("volume_extension:quotas:show");
  }
  const usage = booleanParameter(call.query, "usage");
  const { quota, limits } = await quotaOf(deps.projects, project);
  const keys = await keysByName(deps);
  const shown = Object.fromEntries(
    [...keys].map(([name, key]) => [
      name,
      usage ? usageOf(quota, key, limits[key] ?? UNLIMITED) : (limits[key] ?? UNLIMITED),
    ]),
  );
  return { status: 200, body: { quota_set: { id: project, ...shown } } };
}

/** Amounts in movement count as reserved, like Cinder's reservations until they are committed. */
function usageOf({ used, moving }: ProjectQuota, key: string, limit: number): Record<string, number> {
  const reserved = Object.values(moving)
    .filter(({ kind }) => kind === "taken")
    .reduce((sum, movement) => sum + (movement.usage[key] ?? 0), 0);
  return { limit, in_use: (used[key] ?? 0) - reserved, reserved };
}

/** `GET /os-quota-sets/{project}/defaults` */
export async function showDefaultQuotas(deps: ApiDependencies, call: Call): Promise<Answer> {
  const limits = effectiveLimits({ limits: {} }, await deps.projects.quota(DEFAULT_CLASS));
  return { status: 200, body: { quota_set: { id: projectOf(call), ...(await shownLimits(deps, limits)) } } };
}

/** `PUT /os-quota-sets/{project}` */
export async function updateQuotaSet(deps: ApiDependencies, call: Call): Promise<Answer> {
  const limits = await limitsIn(deps, call.body, "quota_set");
  const project = projectOf(call);
  if (project === DEFAULT_CLASS) {
    throw badRequest(`${DEFAULT_CLASS} is not a project`);
  }
  const { used } = await deps.projects.quota(project);
  for (const [key, limit] of Object.entries(limits)) {
    const inUse = used[key] ?? 0;
    if (limit !== UNLIMITED && limit < inUse) {
      throw badRequest(
        `Quota ${key} limit must be equal or greater than existing resources. ` +
          `Current usage is ${inUse} and the requested limit is ${limit}.`,
      );
    }
  }
  const changed = await deps.projects.setLimits(project, limits);
  const effective = effectiveLimits(changed, await deps.projects.quota(DEFAULT_CLASS));
  return { status: 200, body: { quota_set: await shownLimits(deps, effective) } };
}

/** `DELETE /os-quota-sets/{project}`: the defaults hold again. */
export async function deleteQuotaSet(deps: ApiDependencies, call: Call): Promise<Answer> {
  const project = projectOf(call);
  const { limits } = await deps.projects.quota(project);
  await deps.projects.setLimits(project, Object.fromEntries(Object.keys(limits).map((key) => [key, null])));
  return { status: 200 };
}

/** `GET /os-quota-class-sets/default`; there is no other class. */
export async function showQuotaClass(deps: ApiDependencies, call: Call): Promise<Answer> {
  requireDefaultClass(call);
  const limits = effectiveLimits({ limits: {} }, await deps.projects.quota(DEFAULT_CLASS));
  return { status: 200, body: { quota_class_set: { id: "default", ...(await shownLimits(deps, limits)) } } };
}

/** `PUT /os-quota-class-sets/default`: the limits of every project that has none of its own. */
export async function updateQuotaClass(deps: ApiDependencies, call: Call): Promise<Answer> {
  requireDefaultClass(call);
  const limits = await limitsIn(deps, call.body, "quota_class_set");
  const effective = effectiveLimits({ limits: {} }, await deps.projects.setLimits(DEFAULT_CLASS, limits));
  return { status: 200, body: { quota_class_set: await shownLimits(deps, effective) } };
}

function requireDefaultClass({ params }: Call): void {
  if (params["class"] !== "default") {
    throw new ApiError(404, "Only the quota class default exists.");
  }
}

/** @throws ApiError 400 that names the unknown resources, or the invalid limit */
async function limitsIn(deps: ApiDependencies, body: unknown, field: string): Promise<Record<string, number>> {
  const set = isObject(body) ? body[field] : undefined;
  if (!isObject(set)) {
    throw badRequest(`'${field}' is a required property`);
  }
  if (Object.keys(set).length === 0) {
    throw badRequest(`Invalid input for field/attribute ${field}. Value: {}. {} does not have enough properties`);
  }
  const keys = await keysByName(deps);
  const entries = Object.entries(set).filter(([name]) => name !== "id" && name !== "tenant_id");
  const unknown = entries.filter(([name]) => !keys.has(name)).map(([name]) => name.slice(0, 255));
  if (unknown.length > 0) {
    throw invalidInput(`Bad key(s) in ${field.replaceAll("_", " ")}: ${unknown.join(", ")}`);
  }
  return Object.fromEntries(
    entries.map(([name, limit]) => {
      const text = typeof limit === "number" || typeof limit === "string" ? String(limit) : "";
      return [keys.get(name) ?? name, integerParameter(text, name, UNLIMITED, MAX_INT)];
    }),
  );
}
