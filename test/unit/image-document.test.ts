import { expect, test } from "vitest";
import { parseImageDocument, parseObjectMetadata } from "../../adapters/s3/image-document.ts";
import { anImage, uuid } from "../support/drivers.ts";

const id = uuid(500);

test("a document says all that Cinder asks of an image", () => {
  const meta = { ...anImage(Buffer.from("disk")), virtual_size: 4, properties: { os_distro: "debian" } };
  expect(parseImageDocument(id, JSON.stringify(meta))).toEqual(meta);
});

test("omitted fields of a document are empty, and the image is private", () => {
  expect(parseImageDocument(id, JSON.stringify({ id }))).toMatchObject({
    status: "active",
    disk_format: null,
    size: null,
    min_disk: 0,
    os_hash_value: null,
    owner: null,
    visibility: "private",
    properties: {},
  });
});

test.each([
  ["no JSON", "{", "not valid JSON"],
  ["nothing", "", "not valid JSON"],
  ["no object", "[]", "metadata"],
  ["of another image", JSON.stringify({ id: uuid(501) }), uuid(501)],
  ["with a size that is not a number", JSON.stringify({ id, size: "4" }), "size"],
  ["with a negative min_disk", JSON.stringify({ id, min_disk: -1 }), "min_disk"],
])("a document that is %s makes the image unacceptable, and says why", (_what, text, reason) => {
  expect(() => parseImageDocument(id, text)).toThrow(
    expect.objectContaining({ name: "ImageUnacceptable", message: expect.stringContaining(reason) }),
  );
});

test("an object's metadata describes it, with its size", () => {
  const metadata = {
    "disk-format": "raw",
    "container-format": "bare",
    "min-disk": "2",
    "os-hash-algo": "sha512",
    "os-hash-value": "ab",
    owner: "project",
    visibility: "public",
    "property-os_distro": "debian",
  };
  expect(parseObjectMetadata(id, metadata, 10)).toMatchObject({
    id,
    status: "active",
    disk_format: "raw",
    container_format: "bare",
    size: 10,
    min_disk: 2,
    checksum: null,
    os_hash_algo: "sha512",
    os_hash_value: "ab",
    owner: "project",
    visibility: "public",
    properties: { os_distro: "debian" },
  });
});

test("a min-disk that is not a number makes the image unacceptable", () => {
  expect(() => parseObjectMetadata(id, { "disk-format": "raw", "min-disk": "two" }, 1)).toThrow(
    expect.objectContaining({ name: "ImageUnacceptable" }),
  );
});
