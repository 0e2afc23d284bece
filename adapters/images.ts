import { InvalidImageRef } from "../core/errors.ts";
import { foreignText } from "../core/text/foreign-text.ts";
import { canonicalImageReference } from "../core/requests/identifiers.ts";
import { allowedOrigins, type GlanceOptions } from "../core/images/image-services.ts";
import type { RequestContext } from "../core/requests/messages.ts";
import { maskAddress } from "../core/text/secrets.ts";
import type { ImageService, ImageServices } from "../core/drivers/driver-ports.ts";
import type { Clock, Secrets } from "../core/ports.ts";
import { PATIENCE, type Patience } from "./glance/http.ts";
import { identities, type Identity, identityOfToken } from "./glance/identity.ts";
import { GlanceImageService } from "./glance/image-service.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The path of an image's address, as Glance's API and Cinder's `generate_image_url` write it: the part before it belongs to the server. */
const IMAGE_PATH = /^(?<prefix>.*?)(?:\/v2)?(?:\/images)?\/(?<id>[^/]+)$/;

/** The bucket's images. */
export type BucketImages = { bucket: string; service: ImageService };

/** Dependencies of Glance's images. */
export type GlanceImages = { options: GlanceOptions; secrets: Secrets; clock: Clock; patience?: Patience };

/**
 * The configured image services: one bucket, and Glance. A reference is an image's id, in the default service; its address in the bucket,
 * `s3://BUCKET/ID`; or its address in Glance, on one of the configured hosts. No other host is ever asked: a reference comes from a
 * message, and must not choose the receiver of the caller's token.
 */
export function createImageServices(
  { bucket, service }: BucketImages,
  glance?: GlanceImages,
  defaultService: "bucket" | "glance" = glance === undefined ? "bucket" : "glance",
): ImageServices {
  const prefix = `s3://${bucket}/`;
  const glanceServices =
    glance === undefined
      ? undefined
      : createGlance(glance, identities(glance.options.auth, glance.secrets, glance.clock));
  return {
    forHref(context, givenHref) {
      const imageHref = canonicalImageReference(givenHref);
      if (imageHref.startsWith(prefix)) {
        return { service, imageId: requireId(imageHref.slice(prefix.length), imageHref) };
      }
      if (UUID.test(imageHref)) {
        return {
          service: defaultService === "glance" && glanceServices !== undefined ? glanceServices.any(context) : service,
          imageId: imageHref,
        };
      }
      const found = glanceServices?.byAddress(context, imageHref);
      if (found === undefined) {
        throw invalid(imageHref);
      }
      return found;
    },
  };
}

/** Glance's images as the owner of a token sees them; the token is kept nowhere. */
export function glanceOfCaller(options: GlanceOptions, token: string): ImageServices {
  const glance = createGlance({ options }, () => identityOfToken(token));
  return {
    forHref(context, givenHref) {
      const imageHref = canonicalImageReference(givenHref);
      if (!UUID.test(imageHref)) {
        throw invalid(imageHref);
      }
      return { service: glance.any(context), imageId: imageHref };
    },
  };
}

/** Glance by its servers, or by the one that an address names. Tokens are kept from call to call. */
function createGlance(
  { options, patience = PATIENCE }: Pick<GlanceImages, "options" | "patience">,
  identityOf: (context: RequestContext) => Identity,
) {
  const origins = allowedOrigins(options);
  const view = (context: RequestContext, servers: readonly string[]): ImageService =>
    new GlanceImageService({
      servers,
      retries: options.num_retries,
      patience,
      locations: { schemes: options.allowed_direct_url_schemes, origins },
      identity: identityOf(context),
      context,
    });
  return {
    any: (context: RequestContext) => view(context, shuffled(options.api_servers)),
    byAddress: (context: RequestContext, imageHref: string) => {
      const url = URL.parse(imageHref);
      if (url === null || !origins.has(url.origin) || `${url.username}${url.password}${url.search}${url.hash}` !== "") {
        return undefined;
      }
      // A parser resolves these, so the requested path would differ from the named one.
      const isResolved = /\/\.|%|\\/.test(imageHref);
      const { prefix = "", id = "" } = IMAGE_PATH.exec(url.pathname)?.groups ?? {};
      if (isResolved || !UUID.test(id)) {
        return undefined;
      }
      return { service: view(context, [`${url.origin}${prefix}`]), imageId: id };
    },
  };
}

/** `get_api_servers` of cinder/image/glance.py: each request begins with another server. */
function shuffled(servers: readonly string[]): string[] {
  const order = servers.map((server) => ({ server, rank: Math.random() }));
  return order.toSorted((a, b) => a.rank - b.rank).map(({ server }) => server);
}

function requireId(id: string, imageHref: string): string {
  if (!UUID.test(id)) {
    throw invalid(imageHref);
  }
  return id;
}

/** An address may hold a password, or a signature in its query, which is not shown. */
function invalid(imageHref: string): InvalidImageRef {
  return new InvalidImageRef(foreignText(maskAddress(imageHref), 200));
}
