import type { Fault, VolumeRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { notFound } from "../errors.ts";
import { type Answer, type Call, type Caller, HTML } from "../http.ts";
import { apiTime, linksOf, linksOfPage } from "../links.ts";
import { booleanParameter, paginationOf, type SortKey, sortOf } from "../parameters.ts";
import { isUuidLike } from "../schemas/types.ts";
import { findVolume } from "../volumes/show.ts";
import { messageFields } from "./fields.ts";

/**
 * User messages (cinder/api/v3/messages.py). A message is a volume's fault as its users may read it, so it is written by the same write as
 * the fault, and can neither be missing nor be left over. It lasts as long as its volume, and 30 days at most.
 */

/** How long a message is kept (`message_ttl`). */
const TTL_MS = 30 * 24 * 3600 * 1000;

/** First microversion with filters, order and pages. */
const PAGES = 5;

/** Makes a message's id of its volume's, and back: an id of its own, because clients take both for UUIDs of different things. */
const ID_MASK = 0x5f_37_59_df;

function otherId(id: string): string {
  const first = (Number.parseInt(id.slice(0, 8), 16) ^ ID_MASK) >>> 0;
  return first.toString(16).padStart(8, "0") + id.slice(8).toLowerCase();
}

type Message = { id: string; volume: VolumeRecord; fault: Fault };

function messageOf(volume: VolumeRecord, now: Date): Message | undefined {
  const { fault, id, message_deleted: deleted } = volume;
  const isShown = fault !== null && deleted !== fault.at && Date.parse(fault.at) + TTL_MS > now.getTime();
  return isShown ? { id: otherId(id), volume, fault } : undefined;
}

function view(call: Call, { id, volume, fault }: Message): Record<string, unknown> & { id: string } {
  return {
    id,
    ...messageFields(fault.error, volume.host !== null),
    message_level: "ERROR",
    created_at: apiTime(fault.at),
    guaranteed_until: apiTime(new Date(Date.parse(fault.at) + TTL_MS).toISOString()),
    request_id: volume.request?.request_id ?? null,
    links: linksOf(call, "messages", id),
    resource_type: "VOLUME",
    resource_uuid: volume.id,
  };
}

const SORT_KEYS = ["id", "event_id", "resource_uuid", "resource_type", "request_id", "message_level", "created_at"];
const FILTERS = ["event_id", "resource_uuid", "resource_type", "request_id", "message_level"];

/** `GET /messages`, newest first. A message is a part of its volume, so the project's volumes are read. */
export async function listMessages(deps: ApiDependencies, call: Call): Promise<Answer> {
  const hasPages = call.version >= PAGES;
  const query = hasPages ? call.query : new URLSearchParams();
  const { limit, marker, offset } = paginationOf(query);
  const order = sortOf(query, Object.fromEntries([...SORT_KEYS, "guaranteed_until"].map((key) => [key, key])));
  const filters = FILTERS.flatMap((name) => {
    const value = query.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  const all = (await volumesOf(deps, call))
    .flatMap((volume) => messageOf(volume, deps.clock.now()) ?? [])
    .map((message) => view(call, message))
    .filter((message) => filters.every(([name, value]) => message[name] === value))
    .toSorted((one, other) => compare(order, one, other));
  const begin = marker === null ? 0 : all.findIndex(({ id }) => id === marker) + 1;
  if (marker !== null && begin === 0) {
    throw messageNotFound(marker);
  }
  const messages = all.slice(begin + offset, begin + offset + limit);
  const ids = messages.map(({ id }) => id);
  return {
    status: 200,
    body: { messages, ...linksOfPage(call, { collection: "messages", links: "messages_links", ids, limit }) },
  };
}

function compare(order: readonly SortKey[], one: Record<string, unknown>, other: Record<string, unknown>): number {
  for (const { key, descending } of [...order, { key: "id", descending: true }]) {
    const [first, second] = [String(one[key]), String(other[key])];
    if (first !== second) {
      return first < second === descending ? 1 : -1;
    }
  }
  return 0;
}

async function volumesOf(deps: ApiDependencies, { caller, query }: Call): Promise<VolumeRecord[]> {
  const everyProject = caller.isAdmin && booleanParameter(query, "all_tenants");
  const entries = everyProject
    ? await deps.projects.listAll("volume")
    : await deps.projects.list(caller.projectId, "volume", { limit: Infinity });
  return [...(await deps.volumes.getMany(entries.map(({ id }) => id))).values()];
}

/** `GET /messages/{id}` */
export async function showMessage(deps: ApiDependencies, call: Call): Promise<Answer> {
  const message = await visibleMessage(deps, call.caller, call.params["id"] ?? "");
  return { status: 200, body: { message: view(call, message) } };
}

/** `DELETE /messages/{id}`: hides it; the fault stays. Repeated: 404. A later fault of the volume is a message again. */
export async function deleteMessage(deps: ApiDependencies, call: Call): Promise<Answer> {
  const { volume, fault } = await visibleMessage(deps, call.caller, call.params["id"] ?? "");
  await deps.volumes.changeDetails(volume.id, { messageDeleted: fault.at });
  return { status: 204, headers: HTML };
}

/** @throws ApiError 404, also for another project's */
async function visibleMessage(deps: ApiDependencies, caller: Caller, id: string): Promise<Message> {
  const volume = isUuidLike(id) ? await findVolume(deps, otherId(id)) : undefined;
  const message = volume && messageOf(volume, deps.clock.now());
  if (message === undefined || !(caller.isAdmin || message.volume.project_id === caller.projectId)) {
    throw messageNotFound(id);
  }
  return message;
}

function messageNotFound(id: string): Error {
  return notFound(`Message ${id.slice(0, 255)} could not be found.`);
}
