// @ts-nocheck
import type { FunctionName } from "../../core/functions.ts";
import { type RepositoryCalls, repositoryCalls } from "./repository-calls.ts";
import { type Repositories, repositoryRequests } from "./repository-requests.ts";

/** Actions of DynamoDB with the attributes that writes name; reads name none. */
type Actions = Record<string, string[]>;

/** What a function asks of each table that it uses. */
type Access = Partial<Record<keyof Repositories, Actions>>;

/** Actions that can be bound to attributes to some purpose: a deletion takes all of an item. */
const BOUND = new Set(["UpdateItem", "PutItem"]);

/**
 * `infra/table-access.json`: which actions on which tables each function can reach, and which attributes its writes name. Derived of
 * the functions' code and the repositories' requests, so that a right is there exactly where a call is.
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
        const actions = (access[table] ??= {});
        for (const { action, attributes } of requests[table][method] ?? []) {
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
