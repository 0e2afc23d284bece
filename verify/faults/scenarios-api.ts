import { idOfKey } from "../../core/api/volumes/idempotency.ts";
import { type Account, START } from "./account.ts";
import { FIRST_HOST, SECOND_HOST } from "./identifiers.ts";
import { METADATA } from "./expected.ts";
import type { Scenario } from "./scenario.ts";

/** Requests to the Block Storage API, sent as a client sends them that repeats what got no clear answer. */

const PROJECT = "project";
const KEY = "the-only-volume";

type Request = { method: string; path: string; body?: unknown; key?: string };

/** An event of an HTTP API, payload format 2.0. */
function eventOf({ method, path, body, key }: Request) {
  const [rawPath = "", rawQueryString = ""] = `/v3/${PROJECT}${path}`.split("?");
  return {
    version: "2.0",
    rawPath,
    rawQueryString,
    headers: {
      host: "api.local",
      "content-type": "application/json",
      "openstack-api-version": "volume 3.44",
      "x-auth-token": `user:${PROJECT}`,
      ...(key !== undefined && { "idempotency-key": key }),
    },
    requestContext: { http: { method, path: rawPath } },
    isBase64Encoded: false,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  };
}

/** Sends requests one after the other, some virtual seconds apart, so that what one begins has ended before the next. */
function session(account: Account, requests: readonly Request[], secondsApart = 60): void {
  for (const [index, request] of requests.entries()) {
    account.time.after(index * secondsApart * 1000, () => account.request("BlockStorageApi", eventOf(request)));
  }
}

function begin(account: Account, requests: readonly Request[]): string[] {
  account.stores.addBackend(FIRST_HOST, START);
  account.stores.addBackend(SECOND_HOST, START, 20);
  const id = idOfKey(PROJECT, KEY);
  account.subject = id;
  session(account, requests);
  return [id];
}

const CREATE: Request = {
  method: "POST",
  path: "/volumes",
  key: KEY,
  body: { volume: { size: 2, name: "of the API", metadata: METADATA } },
};
const VOLUME_PATH = `/volumes/${idOfKey(PROJECT, KEY)}`;

const INSTANCE = "00000000-0000-4000-8000-00000000abcd";

const action = (body: Record<string, unknown>): Request => ({ method: "POST", path: `${VOLUME_PATH}/action`, body });

export const API_SESSIONS: readonly Scenario[] = [
  {
    name: "created through the API",
    makes: "an empty volume",
    end: "available",
    begin: (account) => begin(account, [CREATE]),
  },
  {
    name: "created, listed and changed through the API",
    makes: "an empty volume",
    end: "available",
    begin: (account) =>
      begin(account, [
        CREATE,
        { method: "GET", path: "/volumes/detail?limit=10" },
        { method: "PUT", path: VOLUME_PATH, body: { volume: { description: "a volume" } } },
        { method: "POST", path: `${VOLUME_PATH}/action`, body: { "os-set_bootable": { bootable: false } } },
      ]),
  },
  {
    name: "attached and detached through the API",
    makes: "an empty volume",
    end: "available",
    begin: (account) =>
      begin(account, [
        CREATE,
        action({ "os-reserve": null }),
        action({ "os-initialize_connection": { connector: { host: "compute" } } }),
        action({ "os-attach": { instance_uuid: INSTANCE, mountpoint: "/dev/vdb" } }),
        action({ "os-begin_detaching": null }),
        action({ "os-detach": {} }),
      ]),
  },
  {
    name: "created and deleted through the API, and its key used again",
    makes: "an empty volume",
    end: "gone",
    begin: (account) => begin(account, [CREATE, { method: "DELETE", path: VOLUME_PATH }, CREATE]),
  },
];
