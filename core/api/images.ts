import { describeError } from "../errors.ts";
import type { ImageMeta } from "../drivers/driver-ports.ts";
import type { ApiDependencies } from "./dependencies.ts";
import { ApiError, badRequest, invalidInput } from "./errors.ts";
import type { Call } from "./http.ts";

/** An image that a volume is to be made from. */
export type SourceImage = {
  /** Its id, or its address. */
  reference: string;
  /** Absent where the API cannot ask: the workflow checks the image then. */
  meta?: ImageMeta;
};

const GIB = 2 ** 30;

/** Names of errors that mean that the caller cannot have the image. */
const UNAVAILABLE: readonly string[] = ["ImageNotFound", "ImageNotAuthorized", "InvalidImageRef"];

/**
 * The image of a create, requested with the caller's own token: Glance decides about the caller's access. The token is used only for this
 * request.
 *
 * @param named an id, or an address whose last part is one, as Nova sends it
 * @throws ApiError 400 when the caller cannot have the image, 503 when the image service does not answer
 */
export async function findImage(deps: ApiDependencies, call: Call, named: string): Promise<SourceImage> {
  const { caller, requestId, headers } = call;
  const services = deps.imagesFor(headers["x-auth-token"]);
  if (services === undefined) {
    return { reference: named };
  }
  const reference = /^https?:/i.test(named) ? (named.split("/").at(-1) ?? "") : named;
  const context = {
    request_id: requestId,
    user_id: caller.userId,
    project_id: caller.projectId,
    is_admin: caller.isAdmin,
    roles: [...caller.roles],
  };
  try {
    const { service, imageId } = services.forHref(context, reference);
    return { reference, meta: await service.show(context, imageId) };
  } catch (error) {
    const { name } = describeError(error);
    if (UNAVAILABLE.includes(name)) {
      throw badRequest("Invalid image identifier or unable to access requested image.");
    }
    throw name === "GlanceConnectionFailed" ? new ApiError(503, "The image service does not answer.") : error;
  }
}

/** `_check_image_metadata` of cinder/volume/flows/api/create_volume.py. @throws ApiError 400 */
export function requireFittingImage({ reference, meta }: SourceImage, sizeGib: number): void {
  if (meta === undefined) {
    return;
  }
  if (meta.status !== "active") {
    throw invalidInput(`Image ${reference} is not active.`);
  }
  const imageGib = Math.ceil((meta.size ?? 0) / GIB);
  if (imageGib > sizeGib) {
    throw invalidInput(`Size of specified image ${imageGib}GB is larger than volume size ${sizeGib}GB.`);
  }
  if (sizeGib < meta.min_disk) {
    throw invalidInput(`Volume size ${sizeGib}GB cannot be smaller than the image minDisk size ${meta.min_disk}GB.`);
  }
}

/** Name of the volume type that the image asks for (`cinder_img_volume_type` of Cinder). */
export function volumeTypeOfImage({ meta }: SourceImage): string | undefined {
  const name = meta?.properties["cinder_img_volume_type"];
  return typeof name === "string" && name !== "" ? name : undefined;
}
