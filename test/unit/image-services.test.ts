import { expect, test } from "vitest";
import { createImageServices } from "../../adapters/images.ts";
import { MemoryImages, uuid } from "../support/drivers.ts";

const context = { request_id: "", user_id: null, project_id: null, is_admin: false, roles: [] };
const service = new MemoryImages(Buffer.alloc(0));
const services = createImageServices({ bucket: "images", service });

test.each([uuid(5), `s3://images/${uuid(5)}`])("%s is an image of the bucket", (href) => {
  expect(services.forHref(context, href)).toEqual({ service, imageId: uuid(5) });
});

test.each([uuid(5).toUpperCase(), `s3://images/${uuid(5).toUpperCase()}`])(
  "%j is read in any case, and names the image in lower case",
  (href) => {
    expect(services.forHref(context, href)).toEqual({ service, imageId: uuid(5) });
  },
);

test.each([
  "",
  "cirros",
  `s3://other/${uuid(5)}`,
  `s3://images/`,
  `s3://images/a/${uuid(5)}`,
  `s3://images/${uuid(5)}.json`,
  `s3://images/../${uuid(5)}`,
  `http://169.254.169.254/${uuid(5)}`,
  `https://glance.example/v2/images/${uuid(5)}`,
  `${uuid(5)}/../x`,
])("%j names no image service", (href) => {
  expect(() => services.forHref(context, href)).toThrow(expect.objectContaining({ name: "InvalidImageRef" }));
});

test.each([
  "https://user:hidden@glance.example/v2/images/x",
  `https://user:${"hidden".repeat(50)}@glance.example/x`,
  "https://bucket.example/x?X-Amz-Signature=hidden",
  "https://bucket.example/x#hidden",
  "swift+https://user:hid/den@keystone.example/x",
])("the refusal of %s does not show its secret", (href) => {
  let reason = "";
  try {
    services.forHref(context, href);
  } catch (error) {
    reason = String(error);
  }
  expect(reason).toContain("Invalid image href");
  expect(reason).not.toMatch(/hid/);
});
