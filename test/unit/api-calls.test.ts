import { beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_TYPE } from "../../core/api/types/default-type.ts";
import { positionOfVolume } from "../../core/projects.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { Api, idOf } from "../support/api.ts";
import { World } from "../support/fakes/world.ts";
import { plainVolumeType, queuedVolume } from "../support/records.ts";

/** Calls of the stores that a request costs: docs/block-storage-api.md. */

const PROJECT = "a1b2";
const MANY = 1000;

let world: World;
let api: Api;

/** As many volumes as a page may have, of seven types. */
beforeEach(async () => {
  world = new World();
  api = new Api(world);
  for (let number = 0; number < 7; number += 1) {
    const type = plainVolumeType({ id: idOf(9000 + number) });
    world.fakes.volumeTypes.records.set(type.id, type);
  }
  for (let number = 1; number <= MANY; number += 1) {
    const volume = queuedVolume({
      id: idOf(number),
      project_id: PROJECT,
      display_name: `volume ${number}`,
      volume_type_id: idOf(9000 + (number % 7)),
      created_at: new Date(Date.parse("2026-01-01T00:00:00.000Z") + number).toISOString(),
    });
    world.fakes.volumes.records.set(volume.id, volume);
    await world.fakes.projects.enter({ ...positionOfVolume(volume), name: volume.display_name });
  }
});

async function callsOf(what: string, asked?: Parameters<Api["ask"]>[1]): Promise<{ calls: string[]; body: unknown }> {
  const before = world.faults.calls.length;
  const { body } = await api.ask(what, asked);
  return { calls: world.faults.calls.slice(before), body };
}

describe("the calls of the stores", () => {
  it("are three for a page of 1,000 volumes with all their fields, whatever their types", async () => {
    const { calls, body } = await callsOf("GET /volumes/detail?limit=1000");
    expect((body as { volumes: unknown[] }).volumes).toHaveLength(MANY);
    expect(calls).toEqual(["projects.list", "volumes.getMany", "volumeTypes.getMany"]);
  });

  it("are two for a page of 1,000 volumes without them", async () => {
    expect((await callsOf("GET /volumes")).calls).toEqual(["projects.list", "volumes.listSummaries"]);
  });

  it("read whole records without details only where a filter or an order needs them", async () => {
    for (const query of ["sort=name:asc", "sort=id", "sort_key=created_at&sort_dir=asc", "offset=5"]) {
      expect((await callsOf(`GET /volumes?${query}`)).calls).toEqual(["projects.list", "volumes.listSummaries"]);
    }
    for (const query of ["sort=size", "status=creating", "sort=name:asc,host", "name=volume%2077"]) {
      expect((await callsOf(`GET /volumes?${query}`)).calls).toEqual(["projects.list", "volumes.getMany"]);
    }
  });

  it("are three for the page after a marker, and one more for the marker itself", async () => {
    const { calls, body } = await callsOf(`GET /volumes/detail?limit=100&marker=${idOf(500)}`);
    expect((body as { volumes: unknown[] }).volumes).toHaveLength(100);
    expect(calls).toEqual(["volumes.get", "projects.list", "volumes.getMany", "volumeTypes.getMany"]);
  });

  it("are three for the list of a name", async () => {
    const { calls, body } = await callsOf("GET /volumes/detail?name=volume%2077");
    expect(body).toMatchObject({ volumes: [{ id: idOf(77) }] });
    expect(calls).toEqual(["projects.list", "volumes.getMany", "volumeTypes.getMany"]);
  });

  it("are two for showing a volume, and one for a volume without a type", async () => {
    expect((await callsOf(`GET /volumes/${idOf(1)}`)).calls).toEqual(["volumes.get", "volumeTypes.getMany"]);
    world.fakes.volumes.records.set(idOf(1), queuedVolume({ id: idOf(1), project_id: PROJECT }));
    expect((await callsOf(`GET /volumes/${idOf(1)}`)).calls).toEqual(["volumes.get"]);
  });

  it("are six for a create, and its message", async () => {
    await world.fakes.volumeTypes.create(DEFAULT_TYPE);
    api.deps.newId = () => idOf(5000);
    const { calls } = await callsOf("POST /volumes", { body: { volume: { size: 1 } } });
    expect(calls).toEqual([
      "projects.readTogether",
      "volumeTypes.get",
      "projects.reserve",
      "projects.enter",
      "volumes.create",
      "projects.confirm",
      "queue.send",
    ]);
  });

  it("are eight for a create with a key, and its message; three for its repetition", async () => {
    await world.fakes.volumeTypes.create(DEFAULT_TYPE);
    api.deps.newId = () => idOf(5000);
    const request = { body: { volume: { size: 1 } }, headers: { "idempotency-key": "one" } };
    expect((await callsOf("POST /volumes", request)).calls).toEqual([
      "volumes.get",
      "projects.readTogether",
      "volumeTypes.get",
      "projects.reserve",
      "projects.enter",
      "volumes.create",
      "projects.findName",
      "projects.confirm",
      "queue.send",
    ]);
    const created = [...world.fakes.volumes.records.values()].find(
      ({ request_digest: digest }) => digest !== undefined,
    );
    world.fakes.volumes.records.set(created?.id ?? "", { ...(created as VolumeRecord), status: "available" });
    expect((await callsOf("POST /volumes", request)).calls).toEqual([
      "volumes.get",
      "projects.readTogether",
      "volumeTypes.getMany",
    ]);
  });
});
