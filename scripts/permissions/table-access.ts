import type { FunctionName } from "../../core/settings/functions.ts";
import { type RepositoryCalls, repositoryCalls } from "./repository-calls.ts";
import { CLAIMS_TABLE, type Repositories, repositoryRequests } from "./repository-requests.ts";

/** Actions of DynamoDB with the attributes that writes name, and the indexes of queries (an empty text is the table itself). */
type Actions = Record<string, string[]>;

/** The rights of a function on each table that it uses. */
type Access = Partial<Record<Exclude<keyof Repositories, "audits"> | typeof CLAIMS_TABLE, Actions>>;

/** Actions with a list: of attributes, where a restriction makes sense (a deletion removes the whole item), or of queried indexes. */
const BOUND = new Set(["UpdateItem", "PutItem", "Query"]);

/**
 * `infra/table-access.json`: the actions on tables that each function can reach, and the attributes that its writes name. Derived from the
 * functions' code and the repositories' requests, so that each right corresponds to a call.
 */
export async function tableAccess(): Promise<string> {
  const requests = await repositoryRequests();
  const without = accessOf(await repositoryCalls({ imageCache: false }, requests), requests);
  const cached = accessOf(await repositoryCalls({ imageCache: true }, requests), requests);
  const differing = Object.entries(cached).filter(
    ([name, access]) => JSON.stringify(access) !== JSON.stringify(without[name as FunctionName]),
  );
  return `${JSON.stringify({ always: without, with_image_cache: Object.fromEntries(differing) }, null, 2)}\n`;
}

function accessOf(
  calls: RepositoryCalls,
  requests: Awaited<ReturnType<typeof repositoryRequests>>,
): Record<FunctionName, Access> {
  return Object.fromEntries(
    Object.entries(calls).map(([name, methods]) => {
      const access: Access = {};
      for (const call of methods) {
        const [table, method] = call.split(".") as [keyof Repositories, string];
        const own = table === "audits" ? "projects" : table;
        for (const { tableName, action, attributes } of requests[table][method] ?? []) {
          const actions = (access[tableName === CLAIMS_TABLE ? CLAIMS_TABLE : own] ??= {});
          const named = BOUND.has(action) ? attributes : [];
          actions[action] = [...new Set([...(actions[action] ?? []), ...named])].toSorted();
        }
      }
      return [name, sorted(access)];
    }),
  ) as Record<FunctionName, Access>;
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
