import * as v from "valibot";
import { InvalidInput } from "../errors.ts";
import { parseOrThrow } from "../requests/parsing.ts";

/** How the Block Storage API is configured, as CDK context gives it and as the function reads it from its environment. */

const plainUrl = v.pipe(
  v.string("auth_url must be a URL"),
  v.check((text) => {
    const url = URL.parse(text);
    return (
      url !== null && /^https?:$/.test(url.protocol) && `${url.username}${url.password}${url.search}${url.hash}` === ""
    );
  }, "auth_url must be an http or https URL without credentials or query"),
);

/** Options that do not depend on the authentication. */
const common = {
  /** Name of the type of creates without one, as in Cinder; `__DEFAULT__` without it. */
  default_volume_type: v.optional(
    v.pipe(
      v.string("default_volume_type must be the name of a volume type"),
      v.check(
        (name) => name.trim() === name && name !== "" && name.length <= 255,
        "default_volume_type must be the name of a volume type: 1 to 255 characters, without spaces around them",
      ),
    ),
  ),
};

const ApiOptionsSchema = v.variant("auth", [
  /** The caller is not checked. For one machine only. */
  v.strictObject({ auth: v.literal("noauth"), ...common }),
  v.strictObject({
    auth: v.literal("keystone"),
    /** Address of Keystone as the function reaches it. */
    auth_url: plainUrl,
    /** Address of Keystone as clients reach it, for the header of a 401; the same without it. */
    www_authenticate_uri: v.optional(plainUrl),
    ...common,
  }),
]);

/** A deployment's settings of its API. */
export type ApiOptions = v.InferOutput<typeof ApiOptionsSchema>;

/**
 * Reads the options; `none` means no API.
 *
 * @throws InvalidInput that names the problem
 */
export function parseApiOptions(value: unknown): ApiOptions | null {
  return value === "none" ? null : parseOrThrow(ApiOptionsSchema, value, "blockStorageApi");
}

const ApiEnvironmentSchema = v.object({
  options: ApiOptionsSchema,
  /** The scheduler's `service_down_time`. */
  service_down_seconds: v.number(),
  /** Physical names of the functions that the API starts. */
  functions: v.object({
    DeleteVolume: v.string(),
    ExtendVolume: v.string(),
    CreateSnapshot: v.string(),
    DeleteSnapshot: v.string(),
  }),
});

/** Facts of the deployment that the function needs. */
export type ApiEnvironment = v.InferOutput<typeof ApiEnvironmentSchema>;

/** Reads {@link ApiEnvironment} from the function's environment. @throws InvalidInput */
export function parseApiEnvironment(text: string): ApiEnvironment {
  try {
    return v.parse(ApiEnvironmentSchema, JSON.parse(text));
  } catch {
    throw new InvalidInput("the options of the Block Storage API in the environment are unreadable");
  }
}
