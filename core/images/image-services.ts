import * as v from "valibot";
import { InvalidInput } from "../errors.ts";
import { parseOrThrow } from "../requests/parsing.ts";

/** Which image services a deployment has, as CDK context gives them and as the functions read them from their environment. */

/** An address without user, query or fragment, because requests have their own headers, and the path is extended. */
const httpUrl = (what: string) =>
  v.pipe(
    v.string(`${what} must be a URL`),
    v.check((text) => isPlainHttpUrl(text), `${what} must be an http or https URL without credentials or query`),
  );

function isPlainHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null && /^https?:$/.test(url.protocol) && `${url.username}${url.password}${url.search}${url.hash}` === ""
  );
}

const text = v.pipe(v.string(), v.nonEmpty());

/** Name of a secret in Secrets Manager. */
const SecretName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9/_+=.@-]{1,128}$/, "must be the name of a secret"));

/** How Glance identifies the caller; the secrets themselves are never here. */
const AuthSchema = v.variant("type", [
  /** Every caller may do everything: a Glance without authentication. */
  v.strictObject({ type: v.literal("none") }),
  /** Headers as keystonemiddleware would set them, for a Glance behind a proxy that trusts the functions. */
  v.strictObject({ type: v.literal("trusted_headers") }),
  /** The caller's own token: the request's context names the secret that holds it as `token`. */
  v.strictObject({
    type: v.literal("passed_token"),
    /** Prefix of the names of such secrets; no other secret is read at a message's request. */
    secret_prefix: v.optional(
      v.pipe(v.string(), v.regex(/^[A-Za-z0-9/_+=.@-]{1,100}\/$/, "must end with a slash")),
      "cinderless/tokens/",
    ),
  }),
  /** One token for all; the secret holds `token`. */
  v.strictObject({ type: v.literal("fixed_token"), secret: SecretName }),
  /** Keystone v3, user and project; the secret holds `password`. */
  v.strictObject({
    type: v.literal("password"),
    auth_url: httpUrl("auth_url"),
    username: text,
    user_domain_name: v.optional(text, "Default"),
    project_name: text,
    project_domain_name: v.optional(text, "Default"),
    secret: SecretName,
  }),
  /** Keystone v3, application credential; the secret holds `id` and `secret`. */
  v.strictObject({ type: v.literal("application_credential"), auth_url: httpUrl("auth_url"), secret: SecretName }),
]);

const GlanceSchema = v.strictObject({
  /** `glance_api_servers`: asked in a random order; each may have a path. */
  api_servers: v.pipe(v.array(httpUrl("api_servers")), v.minLength(1, "at least one API server")),
  /** Hosts, in addition to the API servers, that an image's address may name: `host`, `host:port` for https, `http://host:port`. */
  allowed_hosts: v.optional(
    v.array(
      v.pipe(
        v.string(),
        v.regex(/^(https?:\/\/)?[A-Za-z0-9.-]+(:\d{1,5})?$/, "must be host, host:port, or http:// and one of these"),
        v.check((host) => URL.canParse(addressOf(host)), "must be a host"),
      ),
    ),
    [],
  ),
  /** `glance_num_retries`: retries, a second apart. */
  num_retries: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(10)), 3),
  /** `allowed_direct_url_schemes`: locations of these schemes, on one of the hosts above, are read without Glance. */
  allowed_direct_url_schemes: v.optional(v.array(v.picklist(["http", "https"])), []),
  auth: v.optional(AuthSchema, { type: "none" }),
});

/** How to reach Glance, by Cinder's option names where it has one. */
export type GlanceOptions = v.InferOutput<typeof GlanceSchema>;

/** How Glance identifies the caller. */
export type GlanceAuth = GlanceOptions["auth"];

const ImageServicesSchema = v.strictObject({
  glance: v.optional(GlanceSchema),
  default: v.optional(v.picklist(["bucket", "glance"], "must be bucket or glance")),
});

/** `default` is the service of an image that is named by its id alone. */
export type ImageServicesOptions = { glance?: GlanceOptions; default: "bucket" | "glance" };

/**
 * Reads the image services: the bucket is always there, Glance where it is configured, and then it is the default.
 *
 * @throws InvalidInput that names each option that is wrong
 */
export function parseImageServices(value: unknown): ImageServicesOptions {
  const { glance, default: chosen } = parseOrThrow(ImageServicesSchema, value, "image_services");
  if (glance === undefined) {
    if (chosen === "glance") {
      throw new InvalidInput("image_services: default is glance, which is not configured");
    }
    return { default: "bucket" };
  }
  return { glance, default: chosen ?? "glance" };
}

/** Where addresses of images, and locations of them, may lead: scheme, host and port. */
export function allowedOrigins({ api_servers, allowed_hosts }: GlanceOptions): ReadonlySet<string> {
  return new Set([...api_servers, ...allowed_hosts.map(addressOf)].map((url) => new URL(url).origin));
}

function addressOf(host: string): string {
  return host.includes("://") ? host : `https://${host}`;
}

/** Secrets that the authentication reads: one by its name, or all whose names begin with the prefix. */
export function secretsOf(auth: GlanceAuth): { name?: string; prefix?: string } {
  if (auth.type === "passed_token") {
    return { prefix: auth.secret_prefix };
  }
  return "secret" in auth ? { name: auth.secret } : {};
}
