import { idOfKey } from "../../core/api/volumes/idempotency.ts";
import { type Account, START } from "../../simulation/account.ts";
import { plainVolumeType } from "../../test/support/records.ts";
import { backendHost } from "../../core/backends/backends.ts";
import { FIRST_HOST, IMAGE, SECOND_HOST, uuidOf } from "../../simulation/identifiers.ts";
import { METADATA } from "./expected.ts";
import { addImage, type Scenario } from "./scenario.ts";

/** Requests to the Block Storage API, sent as a client sends them that repeats what got no clear answer. */

const PROJECT = "project";
const KEY = "the-only-volume";

type Request = {
  method: string;
  path: string;
  body?: unknown;
  key?: string;
  /** How long after the request before it is sent; absent a minute. */
  secondsAfter?: number;
};

/** In a path: the id of the first snapshot that is there when the request is sent. */
const FIRST_SNAPSHOT = "{snapshot}";

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

/** Sends requests one after the other, by default so far apart that what one begins has ended before the next. */
function session(account: Account, requests: readonly Request[]): void {
  let seconds = 0;
  for (const [index, request] of requests.entries()) {
    seconds += index === 0 ? 0 : (request.secondsAfter ?? 60);
    account.time.after(seconds * 1000, () => {
      const [snapshot = ""] = account.stores.snapshots.records.keys();
      const path = request.path.replace(FIRST_SNAPSHOT, snapshot);
      account.request("BlockStorageApi", eventOf({ ...request, path }));
    });
  }
}

function begin(account: Account, requests: readonly Request[]): string[] {
  [TYPE, PRIVATE].forEach((type) => account.stores.volumeTypes.records.set(type.id, structuredClone(type)));
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

const TYPE = plainVolumeType({ id: uuidOf(70), name: "fast" });

const PRIVATE = plainVolumeType({ id: uuidOf(71), name: "private", is_public: false });
const TYPE_PATH = `/types/${TYPE.id}`;
const PRIVATE_PATH = `/types/${PRIVATE.id}`;
const ENCRYPTION = { provider: "luks", control_location: "front-end" };

/** Takes a snapshot of the volume. */
const TAKE: Request = { method: "POST", path: "/snapshots", body: { snapshot: { volume_id: idOfKey(PROJECT, KEY) } } };

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
    name: "created twice at once with one key, and in a quota of one volume",
    makes: "an empty volume",
    end: "available",
    begin: (account) => {
      const quota = {
        method: "PUT",
        path: `/os-quota-sets/${PROJECT}`,
        body: { quota_set: { volumes: 1, gigabytes: 2 } },
      };
      return begin(account, [quota, CREATE, { ...CREATE, secondsAfter: 0 }]);
    },
  },
  {
    name: "made of an image through the API",
    makes: "a volume of the image",
    end: "available",
    mostCells: 150,
    begin: (account) => {
      addImage(account);
      const volume = { size: 2, imageRef: IMAGE, metadata: METADATA };
      return begin(account, [{ ...CREATE, body: { volume } }]);
    },
  },
  {
    name: "deleted through the API while it is created",
    makes: "an empty volume",
    end: "gone",
    mostCells: 250,
    begin: (account) => begin(account, [CREATE, { method: "DELETE", path: VOLUME_PATH, secondsAfter: 0.4 }]),
  },
  {
    name: "with changes of volume types and services through the API",
    makes: "an empty volume",
    end: "available",
    mostCells: 250,
    begin: (account) =>
      begin(account, [
        {
          method: "POST",
          path: "/types",
          body: { volume_type: { name: "slow", "os-volume-type-access:is_public": true } },
        },
        { method: "PUT", path: TYPE_PATH, body: { volume_type: { description: "of solid state" } } },
        { method: "POST", path: `${PRIVATE_PATH}/action`, body: { addProjectAccess: { project: PROJECT } } },
        { method: "POST", path: `${PRIVATE_PATH}/encryption`, body: { encryption: ENCRYPTION } },
        { method: "DELETE", path: PRIVATE_PATH },
        {
          method: "PUT",
          path: "/os-services/disable",
          body: { binary: "cinder-volume", host: backendHost(FIRST_HOST) },
        },
        {
          method: "PUT",
          path: "/os-services/enable",
          body: { binary: "cinder-volume", host: backendHost(FIRST_HOST) },
        },
        { method: "GET", path: "/os-services" },
        CREATE,
      ]),
  },
  {
    name: "extended through the API",
    makes: "an empty volume",
    end: "available",
    mostCells: 250,
    begin: (account) => begin(account, [CREATE, action({ "os-extend": { new_size: 3 } })]),
  },
  {
    name: "extended beyond its backend through the API",
    makes: "an empty volume",
    end: "available",
    mostCells: 150,
    begin: (account) => begin(account, [CREATE, action({ "os-extend": { new_size: 500 } })]),
  },
  {
    name: "given another type and name through the API",
    makes: "an empty volume",
    end: "available",
    mostCells: 250,
    begin: (account) =>
      begin(account, [
        CREATE,
        action({ "os-retype": { new_type: "fast" } }),
        { method: "PUT", path: VOLUME_PATH, body: { volume: { name: "renamed" } } },
      ]),
  },
  {
    name: "its snapshot taken, renamed and deleted through the API",
    makes: "an empty volume",
    end: "available",
    mostCells: 250,
    begin: (account) =>
      begin(account, [
        CREATE,
        TAKE,
        { method: "PUT", path: `/snapshots/${FIRST_SNAPSHOT}`, body: { snapshot: { name: "renamed" } } },
        {
          method: "POST",
          path: `/snapshots/${FIRST_SNAPSHOT}/action`,
          body: { "os-reset_status": { status: "error" } },
        },
        { method: "DELETE", path: `/snapshots/${FIRST_SNAPSHOT}` },
      ]),
  },
  {
    name: "deleted with its snapshots through the API",
    makes: "an empty volume",
    end: "gone",
    mostCells: 250,
    begin: (account) => begin(account, [CREATE, TAKE, TAKE, { method: "DELETE", path: `${VOLUME_PATH}?cascade=true` }]),
  },
  {
    name: "created and deleted through the API, and its key used again",
    makes: "an empty volume",
    end: "gone",
    begin: (account) => begin(account, [CREATE, { method: "DELETE", path: VOLUME_PATH }, CREATE]),
  },
];
