import * as v from "valibot";
import { isPathOfSecret, isPlainAddress } from "../text/secrets.ts";

/**
 * Identifiers as they arrive from outside. UUIDs are read in any case and written in lower case (RFC 9562, section 4), so every place
 * that takes one from outside takes it through here: records are kept, and compared, under the lower-case form.
 */

/** A UUID, in lower case. */
export const Uuid = v.pipe(v.string("must be a string"), v.uuid("must be a UUID"), v.toLowerCase());

/** A UUID in lower case; any other text as it is. */
export function lowerCaseUuid(text: string): string {
  return v.is(Uuid, text) ? text.toLowerCase() : text;
}

/** An address whose last segment, where it is a UUID, is in lower case; a UUID in lower case. */
export function canonicalImageReference(reference: string): string {
  const name = reference.slice(reference.lastIndexOf("/") + 1);
  return reference.slice(0, reference.length - name.length) + lowerCaseUuid(name);
}

/** Whether the text is an image's UUID, or an address without user, query or fragment, which may hold secrets. */
export function isImageReference(text: string): boolean {
  return v.is(Uuid, text) || isPlainAddress(text);
}

/** Description of valid values of {@link isImageReference}. The value is not shown: it may be secret. */
export const IMAGE_REFERENCE_RULE =
  "must be a UUID, or an address such as s3://BUCKET/UUID or https://GLANCE/v2/images/UUID without user, query and fragment";

/**
 * A reference to an image, in its canonical form. Cinder takes an empty one for none. A plain word is neither a secret nor an image: the
 * image service refuses it (InvalidImageRef).
 */
export const ImageReference = v.pipe(
  v.string("must be a string"),
  v.check((text) => /^[\w.-]{0,255}$/.test(text) || isImageReference(text), IMAGE_REFERENCE_RULE),
  v.transform(canonicalImageReference),
);

/** Name of the secret that holds the caller's token. The error does not show a wrong value, because it may be a token. */
export const AuthSecret = v.optional(
  v.nullable(
    v.pipe(v.string(), v.check(isPathOfSecret, "must be the name of a secret, such as cinderless/tokens/NAME")),
  ),
);
