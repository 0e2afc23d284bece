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
function nextLink(call: Call, collection: string, lastId: string): Link {
  const query = new URLSearchParams(call.query);
  query.delete("marker");
  query.append("marker", lastId);
  return { rel: "next", href: `${call.endpoint}/v3${projectPath(call)}/${collection}?${query.toString()}` };
}

/** The link to the next page, under the name that the collection has for it, where the page is full. */
export function linksOfPage(
  call: Call,
  page: { collection: string; links: string; ids: readonly string[]; limit: number },
): Record<string, Link[]> {
  const last = page.ids.at(-1);
  return last === undefined || page.ids.length < page.limit
    ? {}
    : { [page.links]: [nextLink(call, page.collection, last)] };
}

function projectPath({ caller, projectInPath }: Call): string {
  return projectInPath ? `/${caller.projectId}` : "";
}

/** A moment as Cinder's API writes it: UTC, microseconds, no zone. Clients fail on a Z. */
export function apiTime(iso: string): string {
  return `${iso.replace("Z", "")}000`;
}
