import { fileNameOf, FUNCTION_NAMES, type FunctionName } from "../../core/settings/functions.ts";
import type { Ports, Repositories } from "../../lambdas/runtime/ports.ts";
import { CLAIMS_TABLE, repositoryRequests } from "./repository-requests.ts";

/** Actions of DynamoDB with the attributes that writes name, and the indexes of queries (an empty text is the table itself). */
type Actions = Record<string, string[]>;

/** The rights of a function on each table that it uses. */
type Access = Partial<Record<Exclude<keyof Repositories, "audits"> | typeof CLAIMS_TABLE, Actions>>;

/** Actions with a list: of attributes, where a restriction makes sense (a deletion removes the whole item), or of queried indexes. */
const BOUND = new Set(["UpdateItem", "PutItem", "Query"]);

/**
 * `infra/table-access.json`: the actions on tables that each function has declared, and the attributes that its writes name. Derived from
 * the exported ports of its file, and from the repositories' requests.
 */
export async function tableAccess(): Promise<string> {
  const requests = await repositoryRequests();
  const always: Partial<Record<FunctionName, Access>> = {};
  const cached: Partial<Record<FunctionName, Access>> = {};
  for (const name of FUNCTION_NAMES) {
    const file = (await import(`../../lambdas/${fileNameOf(name)}.ts`)) as { ports?: Ports; imageCachePorts?: Ports };
    const { ports = {}, imageCachePorts } = file;
    always[name] = accessOf([ports], requests);
    if (imageCachePorts !== undefined) {
      cached[name] = accessOf([ports, imageCachePorts], requests);
    }
  }
  return `${JSON.stringify({ always, with_image_cache: cached }, null, 2)}\n`;
}

function accessOf(declared: readonly Ports[], requests: Awaited<ReturnType<typeof repositoryRequests>>): Access {
  const access: Access = {};
  for (const { repository, methods } of declared.flatMap((ports) => Object.values(ports))) {
    const own = repository === "audits" ? "projects" : repository;
    for (const { tableName, action, attributes } of methods.flatMap((method) => requests[repository][method] ?? [])) {
      const actions = (access[tableName === CLAIMS_TABLE ? CLAIMS_TABLE : own] ??= {});
      const named = BOUND.has(action) ? attributes : [];
      actions[action] = [...new Set([...(actions[action] ?? []), ...named])].toSorted();
    }
  }
  return sorted(access);
}

function sorted(access: Access): Access {
  return Object.fromEntries(
    Object.entries(access)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([table, actions]) => [
        table,
        Object.fromEntries(Object.entries(actions).toSorted(([one], [other]) => (one < other ? -1 : 1))),
      ]),
  );
}
