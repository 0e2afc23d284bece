import { ApiError, badRequest } from "./errors.ts";

/** A microversion by its number after `3.`: 27 is 3.27. */
export type Microversion = number;

/**
 * The newest microversion whose behavior the API has. Everything above is refused by 406, so that a client adapts instead of
 * misreading an answer.
 */
export const MAXIMUM_MICROVERSION: Microversion = 44;

/** Date of the newest microversion, for the version document (`_UPDATED` of cinder/api/versions.py). */
export const MICROVERSION_UPDATED = "2022-08-31T00:00:00Z";

/** `3.27` of 27. */
export function microversionText(version: Microversion): string {
  return `3.${version}`;
}

/**
 * The microversion that a request asks for in `OpenStack-API-Version: volume 3.N`; 3.0 without the header
 * (`set_api_version_request` of cinder/api/openstack/wsgi.py).
 *
 * @throws ApiError 400 for a version that cannot be read, 406 for one that the API does not have
 */
export function negotiate(header: string | undefined): Microversion {
  if (header === undefined) {
    return 0;
  }
  const services = header.split(",").map((service) => service.trim().split(/\s+/));
  const asked = services.find(([name]) => name === "volume");
  if (asked === undefined) {
    throw badRequest(
      "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    );
  }
  const text = asked[1] ?? "";
  if (text === "latest") {
    return MAXIMUM_MICROVERSION;
  }
  const match = /^([1-9]\d*)\.([1-9]\d*|0)$/.exec(text);
  if (match === null) {
    throw badRequest(`API Version String ${text} is of invalid format. Must be of format MajorNum.MinorNum.`);
  }
  const [, major = "", minor = ""] = match;
  if (major !== "3" || Number(minor) > MAXIMUM_MICROVERSION) {
    throw new ApiError(
      406,
      `Version ${text} is not supported by the API. Minimum is 3.0 and maximum is ${microversionText(MAXIMUM_MICROVERSION)}.`,
      { version: text },
    );
  }
  return Number(minor);
}
