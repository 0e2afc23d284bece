import { beforeEach, describe, expect, it } from "vitest";
import { parseApiOptions } from "../../core/api/options.ts";
import { DEFAULT_TYPE_ID } from "../../core/api/types/default-type.ts";
import { Api, idOf, messageOf } from "../support/api.ts";
import { anImage, aSnapshot, aSource, IMAGE_ID, SNAPSHOT_ID, SOURCE_ID } from "../support/builders.ts";
import { World } from "../support/fakes/world.ts";
import { plainVolumeType } from "../support/records.ts";

const PROJECT = "a1b2";
const asAdmin = { token: "admin" };
const FAST = { vendor_name: "fast" };

let world: World;
let api: Api;

beforeEach(() => {
  world = new World();
  api = new Api(world);
  api.deps.newId = () => idOf(1);
});

const create = (volume: Record<string, unknown> = {}) =>
  api.ask("POST /volumes", { body: { volume: { size: 1, ...volume } } });

/** A type of that name with extra specs, which only its project may see when it is private. */
function aType(name: string, isPublic = true): string {
  const type = plainVolumeType({ name, extra_specs: FAST, is_public: isPublic });
  world.fakes.volumeTypes.records.set(type.id, type);
  return type.id;
}

/** Type of the record, and the one by which the scheduler decides. */
function created() {
  const { volume_type_id: id } = world.fakes.volumes.records.get(idOf(1)) ?? {};
  const spec = world.casts.at(-1)?.["request_spec"] as { volume_type: unknown } | undefined;
  return { id, scheduled: spec?.volume_type };
}

describe("a create without a type", () => {
  it("gets the type __DEFAULT__, which has a record from then on", async () => {
    expect((await create()).body).toMatchObject({ volume: { volume_type: "__DEFAULT__" } });
    expect(created().id).toBe(DEFAULT_TYPE_ID);
    expect(world.fakes.volumeTypes.records.get(DEFAULT_TYPE_ID)).toMatchObject({ name: "__DEFAULT__" });
  });

  it("is scheduled by the extra specs of __DEFAULT__", async () => {
    await api.ask(`POST /types/${DEFAULT_TYPE_ID}/extra_specs`, { ...asAdmin, body: { extra_specs: FAST } });
    await create();
    expect(created().scheduled).toEqual({ id: DEFAULT_TYPE_ID, name: "__DEFAULT__", extra_specs: FAST });
  });

  it("is scheduled by the extra specs that __DEFAULT__ gets while the type is recorded", async () => {
    const record = world.fakes.volumeTypes.create.bind(world.fakes.volumeTypes);
    world.fakes.volumeTypes.create = async (type) => {
      await record({ ...type, extra_specs: FAST });
      return record(type);
    };
    expect((await create()).status).toBe(202);
    expect(created().scheduled).toMatchObject({ extra_specs: FAST });
  });

  it("takes of the quota of the default type", async () => {
    const body = { quota_set: { volumes___DEFAULT__: 0 } };
    await api.ask(`PUT /os-quota-sets/${PROJECT}`, { ...asAdmin, body });
    const refused = await create();
    expect(refused.status).toBe(413);
    expect(messageOf(refused)).toContain("exceeded for quota 'volumes___DEFAULT__'");
  });

  it("gets the configured type, also a private one, and /types/default shows it", async () => {
    const id = aType("gold", false);
    api.deps.defaultVolumeType = "gold";
    expect((await create()).body).toMatchObject({ volume: { volume_type: "gold" } });
    expect(created()).toEqual({ id, scheduled: { id, name: "gold", extra_specs: FAST } });
    expect((await api.ask("GET /types/default")).body).toMatchObject({ volume_type: { id, name: "gold" } });
  });

  it("is answered by 500 with the name of a configured type that does not exist, and nothing is made", async () => {
    api.deps.defaultVolumeType = "gold";
    for (const answer of [await create(), await api.ask("GET /types/default")]) {
      expect(answer.status).toBe(500);
      expect(messageOf(answer)).toBe(
        "The request cannot be fulfilled as the default volume type gold cannot be found.",
      );
    }
    expect(world.fakes.projects.entries).toHaveLength(0);
    aType("silver");
    expect((await create({ volume_type: "silver" })).status).toBe(202);
  });

  it("gets the type of its source, its snapshot or its image before the default type", async () => {
    const [ofSource, ofSnapshot, ofImage] = [aType("source"), aType("snapshot"), aType("image")];
    aType("gold");
    api.deps.defaultVolumeType = "gold";
    world.fakes.volumes.records.set(SOURCE_ID, aSource({ project_id: PROJECT, volume_type_id: ofSource }));
    const snapshot = aSnapshot({ project_id: PROJECT, volume_type_id: ofSnapshot });
    world.fakes.snapshots.records.set(SNAPSHOT_ID, snapshot);
    world.imageMetas.set(IMAGE_ID, anImage({ properties: { cinder_img_volume_type: "image" } }));
    for (const [source, type] of [
      [{ source_volid: SOURCE_ID }, ofSource],
      [{ snapshot_id: SNAPSHOT_ID }, ofSnapshot],
      [{ imageRef: IMAGE_ID }, ofImage],
    ] as const) {
      world.fakes.volumes.records.delete(idOf(1));
      expect((await create(source)).status).toBe(202);
      expect(created().id).toBe(type);
    }
  });

  it("gets __DEFAULT__ of a source that has no type in its record, whatever is configured", async () => {
    aType("gold");
    api.deps.defaultVolumeType = "gold";
    world.fakes.volumes.records.set(SOURCE_ID, aSource({ project_id: PROJECT }));
    await create({ source_volid: SOURCE_ID });
    expect(created().id).toBe(DEFAULT_TYPE_ID);
  });

  it.each([
    ["none", "Volume type with name none could not be found."],
    [idOf(9), `Volume type ${idOf(9)} could not be found.`],
  ])("is refused when its image names the type %s, which does not exist", async (named, message) => {
    aType("gold");
    api.deps.defaultVolumeType = "gold";
    world.imageMetas.set(IMAGE_ID, anImage({ properties: { cinder_img_volume_type: named } }));
    const answer = await create({ imageRef: IMAGE_ID });
    expect(answer.status).toBe(404);
    expect(messageOf(answer)).toBe(message);
  });
});

it("refuses to delete the default type, configured or not", async () => {
  const id = aType("gold");
  for (const [name, defaultId] of [
    ["__DEFAULT__", DEFAULT_TYPE_ID],
    ["gold", id],
  ] as const) {
    api.deps.defaultVolumeType = name;
    const answer = await api.ask(`DELETE /types/${defaultId}`, asAdmin);
    expect(answer.status).toBe(400);
    expect(messageOf(answer)).toBe(`The volume type ${defaultId} is a default volume type and cannot be deleted.`);
  }
});

describe("the setting default_volume_type", () => {
  it("is the name of a type", () => {
    expect(parseApiOptions({ auth: "noauth", default_volume_type: "gold" })).toMatchObject({
      default_volume_type: "gold",
    });
  });

  it.each(["", " gold", "x".repeat(256), 1, null])("is refused by name when it is %j", (name) => {
    expect(() => parseApiOptions({ auth: "noauth", default_volume_type: name })).toThrow(
      "default_volume_type must be the name of a volume type",
    );
  });
});
