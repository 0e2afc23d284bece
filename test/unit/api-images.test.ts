import { beforeEach, describe, expect, it } from "vitest";
import { Api, messageOf } from "../support/api.ts";
import { anImage, IMAGE_ID } from "../support/builders.ts";
import { World } from "../support/fakes/world.ts";

let world: World;
let api: Api;

beforeEach(() => {
  world = new World();
  world.addBackend("node@first#pool");
  api = new Api(world);
});

const asAdmin = { token: "admin" };
const create = (volume: Record<string, unknown>) =>
  api.ask("POST /volumes", { body: { volume: { size: 1, ...volume } } });

describe("a create from an image", () => {
  it("is accepted when the image is active and fits, and the cast names the image", async () => {
    world.imageMetas.set(IMAGE_ID, anImage());
    expect((await create({ imageRef: IMAGE_ID })).status).toBe(202);
    expect(world.casts).toMatchObject([{ image_id: IMAGE_ID, request_spec: { image_id: IMAGE_ID } }]);
  });

  it("takes the last part of an address, as Nova sends it", async () => {
    world.imageMetas.set(IMAGE_ID, anImage());
    expect((await create({ imageRef: `http://glance:9292/images/${IMAGE_ID}` })).status).toBe(202);
    expect(world.casts).toMatchObject([{ image_id: IMAGE_ID }]);
  });

  it.each<[string, Parameters<typeof anImage>[0], string]>([
    ["is not active", { status: "queued" }, `Invalid input received: Image ${IMAGE_ID} is not active.`],
    [
      "is larger than the volume",
      { size: 2 ** 30 + 1 },
      "Invalid input received: Size of specified image 2GB is larger than volume size 1GB.",
    ],
    [
      "needs a larger disk",
      { min_disk: 2 },
      "Invalid input received: Volume size 1GB cannot be smaller than the image minDisk size 2GB.",
    ],
  ])("is refused when the image %s, and takes no quota", async (_what, attributes, message) => {
    world.imageMetas.set(IMAGE_ID, anImage(attributes));
    const response = await create({ imageRef: IMAGE_ID });
    expect([response.status, messageOf(response)]).toEqual([400, message]);
    expect((await world.fakes.projects.quota("a1b2")).used).toEqual({});
  });

  it("is refused when the caller cannot have the image", async () => {
    const response = await create({ imageRef: "00000000-0000-0000-0000-00000000abcd" });
    expect([response.status, messageOf(response)]).toEqual([
      400,
      "Invalid image identifier or unable to access requested image.",
    ]);
  });

  it("is accepted without a check where the API cannot ask for images, and the cast has the address", async () => {
    api.deps.imagesFor = () => undefined;
    expect((await create({ imageRef: "s3://images/one" })).status).toBe(202);
    expect(world.casts).toMatchObject([{ image_id: "s3://images/one" }]);
  });

  it("has the type that the image asks for, unless the request names another one", async () => {
    for (const name of ["of the image", "of the request"]) {
      await api.ask("POST /types", { ...asAdmin, body: { volume_type: { name } } });
    }
    world.imageMetas.set(IMAGE_ID, anImage({ properties: { cinder_img_volume_type: "of the image" } }));
    expect((await create({ imageRef: IMAGE_ID })).body).toMatchObject({ volume: { volume_type: "of the image" } });
    const { body } = await create({ imageRef: IMAGE_ID, volume_type: "of the request" });
    expect(body).toMatchObject({ volume: { volume_type: "of the request" } });
  });
});

describe("the image metadata of a volume", () => {
  it("is added to, shown and removed by key", async () => {
    const { body } = await create({});
    const { id } = (body as { volume: { id: string } }).volume;
    const act = (action: Record<string, unknown>) => api.ask(`POST /volumes/${id}/action`, { body: action });
    const set = await act({ "os-set_image_metadata": { metadata: { image_id: "i", min_ram: "0" } } });
    expect(set).toMatchObject({ status: 200, body: { metadata: { image_id: "i", min_ram: "0" } } });
    expect((await act({ "os-unset_image_metadata": { key: "min_ram" } })).status).toBe(200);
    expect((await act({ "os-show_image_metadata": null })).body).toEqual({ metadata: { image_id: "i" } });
    expect((await api.ask(`GET /volumes/${id}`)).body).toMatchObject({
      volume: { volume_image_metadata: { image_id: "i" } },
    });
    const again = await act({ "os-unset_image_metadata": { key: "min_ram" } });
    expect([again.status, messageOf(again)]).toEqual([
      404,
      `Glance metadata for volume/snapshot ${id} cannot be found.`,
    ]);
  });
});

describe("the readonly flag of a volume", () => {
  it("is set while the volume is unused, and shown with its metadata", async () => {
    const { body } = await create({});
    const { id } = (body as { volume: { id: string } }).volume;
    const act = (readonly: unknown) =>
      api.ask(`POST /volumes/${id}/action`, { body: { "os-update_readonly_flag": { readonly } } });
    expect(messageOf(await act(true))).toBe(
      `Invalid volume: Volume ${id} status must be available to update readonly flag, but current status is: creating.`,
    );
    world.fakes.volumes.records.change(id, { status: "available", deadline: null });
    expect((await act("yes")).status).toBe(202);
    expect((await api.ask(`GET /volumes/${id}`)).body).toMatchObject({ volume: { metadata: { readonly: "True" } } });
    expect((await act(null)).status).toBe(400);
  });
});

describe("the encryption record of a volume type", () => {
  const specs = { provider: "luks", control_location: "front-end", cipher: "aes-xts-plain64", key_size: 256 };

  async function aType(): Promise<string> {
    const { body } = await api.ask("POST /types", { ...asAdmin, body: { volume_type: { name: "secret" } } });
    return `/types/${(body as { volume_type: { id: string } }).volume_type.id}/encryption`;
  }

  it("is created, shown, changed and deleted by administrators", async () => {
    const at = await aType();
    expect((await api.ask(`GET ${at}`)).status).toBe(403);
    expect((await api.ask(`GET ${at}`, asAdmin)).body).toEqual({});
    const created = await api.ask(`POST ${at}`, { ...asAdmin, body: { encryption: specs } });
    expect(created).toMatchObject({ status: 200, body: { encryption: specs } });
    expect((await api.ask(`GET ${at}`, asAdmin)).body).toMatchObject({ ...specs, deleted: false, updated_at: null });
    await api.ask(`PUT ${at}/any`, { ...asAdmin, body: { encryption: { key_size: 128 } } });
    expect((await api.ask(`GET ${at}/key_size`, asAdmin)).body).toEqual({ key_size: 128 });
    expect((await api.ask(`DELETE ${at}/provider`, asAdmin)).status).toBe(202);
    expect((await api.ask(`GET ${at}`, asAdmin)).body).toEqual({});
    expect((await api.ask(`GET ${at}/cipher`, asAdmin)).status).toBe(404);
  });

  it("keeps volumes from being made of the type, because no backend encrypts", async () => {
    await api.ask(`POST ${await aType()}`, { ...asAdmin, body: { encryption: specs } });
    const response = await create({ volume_type: "secret" });
    expect([response.status, messageOf(response)]).toEqual([
      400,
      "Volume type secret asks for encryption, which no backend here offers.",
    ]);
  });

  it("is not changed while a volume is of the type", async () => {
    const at = await aType();
    await create({ volume_type: "secret" });
    const response = await api.ask(`POST ${at}`, { ...asAdmin, body: { encryption: specs } });
    expect([response.status, messageOf(response)]).toEqual([
      400,
      "Cannot create encryption specs. Volume type in use.",
    ]);
  });
});
