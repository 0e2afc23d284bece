import type { Call } from "./http.ts";

/** Links of answers: they begin with the address under which the caller reached the API. */

type Link = { rel: string; href: string };

/** `self` and `bookmark` of one thing, which differ by the version. */
export function linksOf(call: Call, collection: string, id: string): Link[] {
  const path = `${projectPath(call)}/${collection}/${id}`;
  return [
    { rel: "self", href: `${call.endpoint}/v3${path}` },
    { rel: "bookmark", href: `${call.endpoint}${path}` },
  ];
}

/** The link to the page after a full one, with the parameters of the request. */
export function nextLink(call: Call, collection: string, lastId: string): Link {
  const query = new URLSearchParams(call.query);
  query.delete("marker");
  query.append("marker", lastId);
  return { rel: "next", href: `${call.endpoint}/v3${projectPath(call)}/${collection}?${query.toString()}` };
}

function projectPath({ caller, projectInPath }: Call): string {
  return projectInPath ? `/${caller.projectId}` : "";
}

/** A moment as Cinder's API writes it: UTC, microseconds, no zone. Clients fail on a Z. */
export function apiTime(iso: string): string {
  return `${iso.replace("Z", "")}000`;
}
