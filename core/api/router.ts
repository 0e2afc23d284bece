import type { Answer, Call } from "./http.ts";
import type { Microversion } from "./microversions.ts";
import type { PolicyRule } from "./policies.ts";
import type { Schema } from "./validation.ts";

/** One row of the API: the request, its first microversion, its policy, and its handler. */
export type Route = {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below `/v3` or `/v3/{project_id}`, with `{name}` for each part that varies. */
  path: string;
  /** Below `/v3` only, never below a project. */
  withoutProject?: boolean;
  /** First microversion that has it. */
  since?: Microversion;
  /** Last microversion that has it. */
  until?: Microversion;
  /** The body by microversion; a route without one takes no body. */
  schema?: (version: Microversion) => Schema;
  /** Whether there is a body, where no schema says so. */
  takesBody: boolean;
  policy?: PolicyRule;
  handler: (call: Call) => Promise<Answer>;
};

/** A route that a request has found. */
export type Match = { route: Route; params: Record<string, string>; projectId: string | undefined };

/** Pattern of a project id that is not the caller's own (`project_id_regex`). */
const PROJECT_ID = /^[0-9a-f-]+$/i;

/**
 * The route of a request. A part of the path that varies is never empty.
 *
 * @param ownProject the caller's project, with any form of id: without Keystone it may be a word
 */
export function matchRoute(
  routes: readonly Route[],
  method: string,
  path: string,
  ownProject: string,
): Match | undefined {
  const parts = (path === "/v3" ? "/v3/" : path).split("/").slice(1).map(decode);
  if (parts[0] !== "v3") {
    return undefined;
  }
  const [, first = ""] = parts;
  const isProject = first === ownProject || PROJECT_ID.test(first);
  const below = isProject && parts.length > 2 ? parts.slice(2) : parts.slice(1);
  const projectId = isProject && parts.length > 2 ? first : undefined;
  for (const route of routes) {
    if (route.method === method && !(route.withoutProject === true && projectId !== undefined)) {
      const params = matchPath(route.path, below);
      if (params !== undefined) {
        return { route, params, projectId };
      }
    }
  }
  return undefined;
}

function matchPath(pattern: string, parts: readonly string[]): Record<string, string> | undefined {
  const wanted = pattern.split("/").slice(1);
  if (wanted.length !== parts.length) {
    return undefined;
  }
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const name = /^\{(\w+)\}$/.exec(wanted[index] ?? "")?.[1];
    if (name === undefined ? part !== wanted[index] : part === "") {
      return undefined;
    }
    if (name !== undefined) {
      params[name] = part;
    }
  }
  return params;
}

/** API Gateway hands on a path that is decoded already; one that cannot be decoded is taken as it is. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
