import type { IncomingMessage } from "node:http";
import { ImageCopyFailure, ImageNotAuthorized, ImageNotFound } from "../../core/errors.ts";
import type { RequestContext } from "../../core/requests/messages.ts";
import type { ImageMeta, ImageRange, ImageService, RangeOptions } from "../../core/drivers/driver-ports.ts";
import type { ImageLocation } from "../../core/spec.ts";
import { ask, imageBytes, type Patience, readJson, type ServerRequest } from "./http.ts";
import type { Identity } from "./identity.ts";
import { contentTag, readImage } from "./image-document.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Visibilities that every project may see. */
const VISIBLE_TO_ALL: readonly string[] = ["public", "community"];

/** Lifetime of cached metadata: a copy reads many ranges in a row. */
const METADATA_MS = 10_000;

/** Dependencies of one caller's view of Glance. */
export type GlanceImageServiceOptions = {
  /** Asked in this order. */
  servers: readonly string[];
  retries: number;
  patience: Patience;
  /** Schemes and origins of locations that are read without Glance. */
  locations: { schemes: readonly string[]; origins: ReadonlySet<string> };
  identity: Identity;
  context: RequestContext;
};

/**
 * Glance v2 as one caller sees it, for one turn of work (`cinder/image/glance.py`, GlanceImageService). Bytes are read with Range if the
 * store supports it; another store answers with the whole image, and `ranged` says so. Image data never changes once it is active, so hash
 * and size are the tag of a content.
 *
 * All calls throw GlanceConnectionFailed, ImageNotFound, ImageNotAuthorized and InvalidInput as `ask` does.
 */
export class GlanceImageService implements ImageService {
  readonly #options: GlanceImageServiceOptions;
  #known: { imageId: string; at: number; image: Image } | undefined;
  #hasRanges = true;

  constructor(options: GlanceImageServiceOptions) {
    this.#options = options;
  }

  async show(context: RequestContext, imageId: string): Promise<ImageMeta> {
    this.#known = undefined;
    return (await this.#image(context, imageId)).meta;
  }

  async getLocation(context: RequestContext, imageId: string): Promise<ImageLocation> {
    return (await this.#image(context, imageId)).location;
  }

  async openRange(imageId: string, from: number, { to, tag, signal }: RangeOptions = {}): Promise<ImageRange> {
    const { meta, location } = await this.#image(this.#options.context, imageId);
    const found = contentTag(meta);
    if (tag !== undefined && found !== tag) {
      throw new ImageCopyFailure(`image ${imageId} changed while it was read`);
    }
    if (meta.status === "deactivated") {
      // Glance itself would give it to an administrator, as whom the functions may ask.
      throw new ImageNotAuthorized(imageId);
    }
    const range = `bytes=${from}-${to === undefined ? "" : to - 1}`;
    const answer =
      (await this.#fromLocation(location, imageId, range, signal)) ?? (await this.#fromGlance(imageId, range, signal));
    try {
      const totalSize = totalSizeOf(answer, imageId, from, meta.size);
      const body = imageBytes(answer, imageId, this.#options.patience, signal);
      return { body, tag: found, totalSize, ranged: answer.statusCode === 206 };
    } catch (error) {
      answer.destroy();
      throw error;
    }
  }

  async #image(context: RequestContext, imageId: string): Promise<Image> {
    const known = this.#known;
    if (known !== undefined && known.imageId === imageId && performance.now() - known.at < METADATA_MS) {
      return known.image;
    }
    requireUuid(imageId);
    const image = readImage(imageId, await this.#json(`v2/images/${imageId}`, imageId));
    if (!this.#options.identity.callerIsKnown && !(await this.#isVisible(context, image.meta))) {
      throw new ImageNotFound(imageId);
    }
    this.#known = { imageId, at: performance.now(), image };
    return image;
  }

  /** `_is_image_available`: Glance knows only the service, so the caller's access is decided here. */
  async #isVisible(context: RequestContext, { id, visibility, owner, properties }: ImageMeta): Promise<boolean> {
    const { project_id: project, user_id: user, is_admin } = context;
    if (is_admin || VISIBLE_TO_ALL.includes(visibility)) {
      return true;
    }
    const owners = [owner, properties["owner_id"], properties["project_id"]];
    if (project !== null && owners.includes(project)) {
      return true;
    }
    if (user !== null && properties["user_id"] === user) {
      return true;
    }
    return project !== null && visibility === "shared" && this.#isAcceptedMember(id, project);
  }

  async #isAcceptedMember(imageId: string, project: string): Promise<boolean> {
    let answer: unknown;
    try {
      answer = await this.#json(`v2/images/${imageId}/members`, imageId);
    } catch (error) {
      if (error instanceof ImageNotFound || error instanceof ImageNotAuthorized) {
        return false;
      }
      throw error;
    }
    const { members } = (answer ?? {}) as { members?: unknown };
    return (
      Array.isArray(members) &&
      members.some((member: { member_id?: unknown; status?: unknown } | null) => {
        return member?.member_id === project && member.status === "accepted";
      })
    );
  }

  async #json(path: string, imageId: string): Promise<unknown> {
    return readJson(
      await this.#ask({ path, imageId, headers: this.#headers(imageId) }),
      imageId,
      this.#options.patience,
    );
  }

  /** A store without random access refuses a Range with 400: then the whole image comes. */
  async #fromGlance(imageId: string, range: string, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    const headers = this.#headers(imageId);
    const request = { path: `v2/images/${imageId}/file`, imageId, data: true, headers, signal };
    if (this.#hasRanges) {
      const ranged = async (renewed: boolean) => ({ ...(await headers(renewed)), Range: range });
      const answer = await this.#ask({ ...request, headers: ranged }, [400]);
      if (answer.statusCode !== 400) {
        return answer;
      }
      answer.destroy();
    }
    const whole = await this.#ask(request);
    this.#hasRanges = false;
    return whole;
  }

  /**
   * The bytes from a location of a permitted scheme on a permitted host, without the token; undefined when there is none, or it
   * does not answer with them: then Glance is asked.
   */
  async #fromLocation(
    { direct_url, locations }: ImageLocation,
    imageId: string,
    range: string,
    signal: AbortSignal | undefined,
  ): Promise<IncomingMessage | undefined> {
    const { schemes, origins } = this.#options.locations;
    const urls = [...(direct_url === null ? [] : [direct_url]), ...locations.map(({ url }) => url)];
    const permitted = urls
      .flatMap((text) => URL.parse(text) ?? [])
      .find((url) => schemes.includes(url.protocol.slice(0, -1)) && origins.has(url.origin));
    if (permitted === undefined) {
      return undefined;
    }
    const request = {
      path: permitted.pathname.slice(1),
      imageId,
      data: true,
      headers: async () => ({ Range: range }),
      signal,
    };
    const { patience } = this.#options;
    try {
      return await ask({ urls: [permitted.origin], retries: 0, patience }, request);
    } catch {
      signal?.throwIfAborted();
      return undefined;
    }
  }

  #ask(request: ServerRequest, accepted: readonly number[] = []): Promise<IncomingMessage> {
    const { servers: urls, retries, patience } = this.#options;
    return ask({ urls, retries, patience }, request, accepted);
  }

  #headers(imageId: string): (renewed: boolean) => Promise<Record<string, string>> {
    return (renewed) => this.#options.identity.headers(imageId, renewed);
  }
}

type Image = ReturnType<typeof readImage>;

/** An id that is not a UUID names no image; Glance says the same. */
function requireUuid(imageId: string): void {
  if (!UUID.test(imageId)) {
    throw new ImageNotFound(imageId.slice(0, 80));
  }
}

/**
 * The whole image's size.
 *
 * @throws ImageCopyFailure when the answer has no data, begins elsewhere, or is of another size than the metadata say
 */
function totalSizeOf(
  { statusCode, headers }: IncomingMessage,
  imageId: string,
  from: number,
  imageSize: number | null,
): number {
  if (statusCode === 204) {
    throw new ImageCopyFailure(`image ${imageId} contains no data`);
  }
  const isRange = statusCode === 206;
  const match = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers["content-range"] ?? "");
  const told = isRange ? Number(match?.[2]) : Number(headers["content-length"] ?? imageSize ?? Number.NaN);
  if (!Number.isSafeInteger(told) || (isRange && Number(match?.[1]) !== from)) {
    throw new ImageCopyFailure(`the image service's answer for image ${imageId} is not the range from byte ${from}`);
  }
  if (imageSize !== null && imageSize !== told) {
    throw new ImageCopyFailure(`image ${imageId} has ${told} bytes, but its metadata says ${imageSize}`);
  }
  return told;
}
