import { beforeEach, describe, expect, it } from "vitest";
import { MAX_BODY_BYTES } from "../../core/api/serve.ts";
import { Api, idOf, messageOf } from "../support/api.ts";
import { aSource, SOURCE_ID } from "../support/builders.ts";
import { World } from "../support/fakes/world.ts";

/** Refusals of bad input: each has Cinder's status, and its message names the field, or the id, that is at fault. */

const PROJECT = "a1b2";
const HOST = "node@first#pool";

let world: World;
let api: Api;

beforeEach(async () => {
  world = new World();
  world.addBackend(HOST);
  world.fakes.volumes.records.set(SOURCE_ID, aSource({ project_id: PROJECT, host: HOST, size: 2 }));
  api = new Api(world);
  // Of another project: volume 1 and, with a record of its own, what a snapshot of it would be.
  await api.ask("POST /volumes", { token: "other", body: { volume: { size: 1 } } });
});

const LONG = "x".repeat(256);
const VOLUME = `/volumes/${SOURCE_ID}`;
const FOREIGN = idOf(1);

type Case = [what: string, request: string, body: unknown, status: number, names: string];

const CREATES: Case[] = [
  // Cinder names no field here.
  ["no size", "POST /volumes", { volume: {} }, 400, "could not comply"],
  ["a size of 0", "POST /volumes", { volume: { size: 0 } }, 400, "size"],
  ["a negative size", "POST /volumes", { volume: { size: -1 } }, 400, "size"],
  ["a size with a fraction", "POST /volumes", { volume: { size: 1.5 } }, 400, "size"],
  ["a size in words", "POST /volumes", { volume: { size: "one" } }, 400, "size"],
  ["a size that is a list", "POST /volumes", { volume: { size: [1] } }, 400, "size"],
  ["a size beyond all bounds", "POST /volumes", { volume: { size: 1e300 } }, 400, "size"],
  ["a name that is too long", "POST /volumes", { volume: { size: 1, name: LONG } }, 400, "name"],
  ["a name that is a number", "POST /volumes", { volume: { size: 1, name: 7 } }, 400, "name"],
  ["a description that is an object", "POST /volumes", { volume: { size: 1, description: {} } }, 400, "description"],
  ["metadata that is a list", "POST /volumes", { volume: { size: 1, metadata: ["a"] } }, 400, "metadata"],
  [
    "a metadata value that is a number",
    "POST /volumes",
    { volume: { size: 1, metadata: { k: 1 } } },
    400,
    "field/attribute k.",
  ],
  [
    "a metadata value that is too long",
    "POST /volumes",
    { volume: { size: 1, metadata: { k: LONG } } },
    400,
    "field/attribute k.",
  ],
  [
    "a metadata key that is too long",
    "POST /volumes",
    { volume: { size: 1, metadata: { [LONG]: "v" } } },
    400,
    "metadata",
  ],
  ["a metadata key that is empty", "POST /volumes", { volume: { size: 1, metadata: { "": "v" } } }, 400, "metadata"],
  [
    "a metadata key of a control character",
    "POST /volumes",
    { volume: { size: 1, metadata: { "a\u0000": "v" } } },
    400,
    "metadata",
  ],
  ["a snapshot id that is not one", "POST /volumes", { volume: { size: 1, snapshot_id: "x" } }, 400, "snapshot_id"],
  ["a source that is not an id", "POST /volumes", { volume: { size: 1, source_volid: 7 } }, 400, "source_volid"],
  ["a source that does not exist", "POST /volumes", { volume: { size: 1, source_volid: idOf(404) } }, 404, idOf(404)],
  ["another project's source", "POST /volumes", { volume: { size: 1, source_volid: FOREIGN } }, 404, FOREIGN],
  ["a type that does not exist", "POST /volumes", { volume: { size: 1, volume_type: "none" } }, 404, "none"],
  ["a zone that does not exist", "POST /volumes", { volume: { size: 1, availability_zone: "mars" } }, 400, "mars"],
  ["no volume", "POST /volumes", { vol: {} }, 400, "volume"],
  ["a volume that is a text", "POST /volumes", { volume: "x" }, 400, "volume"],
  ["a snapshot of no volume", "POST /snapshots", { snapshot: {} }, 400, "volume_id"],
  ["a snapshot of a volume that is a number", "POST /snapshots", { snapshot: { volume_id: 7 } }, 400, "volume_id"],
  ["a snapshot of another project's volume", "POST /snapshots", { snapshot: { volume_id: FOREIGN } }, 404, FOREIGN],
];

const CHANGES: Case[] = [
  ["an extension without a size", `POST ${VOLUME}/action`, { "os-extend": {} }, 400, "new_size"],
  ["an extension to a text", `POST ${VOLUME}/action`, { "os-extend": { new_size: "much" } }, 400, "new_size"],
  ["an extension to fewer GiB", `POST ${VOLUME}/action`, { "os-extend": { new_size: 1 } }, 400, "New size"],
  ["a retype without a type", `POST ${VOLUME}/action`, { "os-retype": {} }, 400, "new_type"],
  ["a bootable flag in words", `POST ${VOLUME}/action`, { "os-set_bootable": { bootable: "maybe" } }, 400, "bootable"],
  [
    "a readonly flag in words",
    `POST ${VOLUME}/action`,
    { "os-update_readonly_flag": { readonly: "maybe" } },
    400,
    "readonly",
  ],
  [
    "a connector that is a text",
    `POST ${VOLUME}/action`,
    { "os-initialize_connection": { connector: "x" } },
    400,
    "connector",
  ],
  ["an unknown action", `POST ${VOLUME}/action`, { "os-fly": {} }, 400, "os-fly"],
  ["a new name that is too long", `PUT ${VOLUME}`, { volume: { name: LONG } }, 400, "name"],
  ["metadata that is a text", `PUT ${VOLUME}/metadata`, { metadata: "x" }, 400, "metadata"],
  ["a change of another project's volume", `PUT /volumes/${FOREIGN}`, { volume: { name: "mine" } }, 404, FOREIGN],
  ["a deletion of another project's volume", `DELETE /volumes/${FOREIGN}`, undefined, 404, FOREIGN],
  ["an attachment without a volume", "POST /attachments", { attachment: {} }, 400, "volume_uuid"],
];

const QUERIES: Case[] = [
  ["a limit in words", "GET /volumes?limit=many", undefined, 400, "limit"],
  ["a negative limit", "GET /volumes?limit=-1", undefined, 400, "limit"],
  ["an offset in words", "GET /volumes?offset=x", undefined, 400, "offset"],
  ["a marker that does not exist", `GET /volumes?marker=${idOf(404)}`, undefined, 404, idOf(404)],
  ["another project's marker", `GET /volumes?marker=${FOREIGN}`, undefined, 404, FOREIGN],
  ["a sort key that does not exist", "GET /volumes?sort=colour:asc", undefined, 400, "sort"],
  ["a sort direction that does not exist", "GET /volumes?sort=name:sideways", undefined, 400, "sort"],
  ["a deletion by cascade in words", `DELETE ${VOLUME}?cascade=perhaps`, undefined, 400, "cascade"],
];

const ADMINISTRATION: Case[] = [
  ["a type without a name", "POST /types", { volume_type: {} }, 400, "name"],
  ["a type with an empty name", "POST /types", { volume_type: { name: "" } }, 400, "name"],
  ["a quota in words", `PUT /os-quota-sets/${PROJECT}`, { quota_set: { volumes: "many" } }, 400, "volumes"],
  ["a quota below -1", `PUT /os-quota-sets/${PROJECT}`, { quota_set: { volumes: -2 } }, 400, "volumes"],
  ["a quota of an unknown resource", `PUT /os-quota-sets/${PROJECT}`, { quota_set: { shares: 1 } }, 400, "shares"],
  ["a status that does not exist", `POST ${VOLUME}/action`, { "os-reset_status": { status: "tired" } }, 400, "tired"],
];

describe("a refusal names what is at fault", () => {
  it.each([...CREATES, ...CHANGES, ...QUERIES])("%s", async (_what, request, body, status, names) => {
    const answer = await api.ask(request, { version: "3.44", ...(body !== undefined && { body }) });
    expect([answer.status, messageOf(answer)]).toEqual([status, expect.stringContaining(names)]);
    expect(messageOf(answer).length).toBeLessThan(2000);
  });

  it.each(ADMINISTRATION)("%s", async (_what, request, body, status, names) => {
    const answer = await api.ask(request, { token: "admin", version: "3.44", body });
    expect([answer.status, messageOf(answer)]).toEqual([status, expect.stringContaining(names)]);
  });

  it("a body that is too large, with the bytes that are allowed", async () => {
    const answer = await api.ask("POST /volumes", { body: " ".repeat(MAX_BODY_BYTES + 1) });
    expect([answer.status, answer.body]).toEqual([
      413,
      expect.objectContaining({ message: expect.stringContaining("too large") as unknown }),
    ]);
  });

  it.each(["not JSON", "[1]", '"text"', "{"])("a body that is %s", async (body) => {
    const answer = await api.ask("POST /volumes", { body });
    expect([answer.status, messageOf(answer)]).toEqual([400, expect.stringMatching(/body|JSON|not of type 'object'/i)]);
  });
});
