import * as v from "valibot";
import { GlanceConnectionFailed, ImageNotAuthorized } from "../../core/errors.ts";
import type { RequestContext } from "../../core/requests/messages.ts";
import type { Clock, Secrets } from "../../core/ports.ts";
import type { GlanceAuth } from "../../core/images/image-services.ts";

/** A token with less remaining time than this is not used, because a request lasts a while. */
const RENEW_BEFORE_MS = 120_000;

/** Short, because a function that makes a few calls has 30 s for all of them. */
const KEYSTONE_TIMEOUT_MS = 6_000;

/** Allowed characters of an id or a role: a comma would start a second role, a line break a second header. */
const HEADER_WORD = /^[\w.:@-]{1,255}$/;

/** Identifies the caller to Glance. */
export interface Identity {
  /** Whether Glance knows the caller itself, and so decides what it may see. */
  readonly callerIsKnown: boolean;
  /**
   * Headers of a request; `renewed` when the ones before were refused.
   *
   * @throws ImageNotAuthorized when the caller has no identity; GlanceConnectionFailed when it cannot be had now
   */
  headers(imageId: string, renewed: boolean): Promise<Record<string, string>>;
}

const text = v.pipe(v.string(), v.nonEmpty());
/** Printable ASCII only, because Node refuses everything else in a header. */
const TokenSecret = v.object({ token: v.pipe(v.string(), v.trim(), v.regex(/^[\x21-\x7e]+$/)) });
const PasswordSecret = v.object({ password: text });
const CredentialSecret = v.object({ id: text, secret: text });
const KeystoneAnswer = v.object({ token: v.object({ expires_at: v.pipe(v.string(), v.isoTimestamp()) }) });

/** A caller with their own token, which is not stored. */
export function identityOfToken(token: string): Identity {
  return { callerIsKnown: true, headers: async () => tokenHeader({ token }) };
}

/** The identities of a deployment; Keystone's tokens are kept and renewed before they expire, or when Glance refuses them. */
export function identities(auth: GlanceAuth, secrets: Secrets, clock: Clock): (context: RequestContext) => Identity {
  switch (auth.type) {
    case "none":
      return () => ({ callerIsKnown: false, headers: async () => ({}) });
    case "trusted_headers":
      return (context) => ({ callerIsKnown: true, headers: async (imageId) => trustedHeaders(context, imageId) });
    case "passed_token":
      return (context) => ({
        callerIsKnown: true,
        headers: async (imageId, renewed) =>
          tokenHeader(await read(secrets, passedSecret(context, auth.secret_prefix, imageId), TokenSecret, renewed)),
      });
    case "fixed_token":
      return () => ({
        callerIsKnown: false,
        headers: async (_imageId, renewed) => tokenHeader(await read(secrets, auth.secret, TokenSecret, renewed)),
      });
    case "password":
    case "application_credential":
      return keystoneIdentities(auth, secrets, clock);
    default:
      return auth satisfies never;
  }
}

function keystoneIdentities(auth: KeystoneAuth, secrets: Secrets, clock: Clock): () => Identity {
  const tokens = keystoneTokens(auth, secrets, clock);
  return () => ({
    callerIsKnown: false,
    headers: async (_imageId, renewed) => tokenHeader({ token: await tokens(renewed) }),
  });
}

/** As keystonemiddleware sets them once it has checked a token. */
function trustedHeaders(
  { user_id: user, project_id: project, roles, is_admin }: RequestContext,
  imageId: string,
): Record<string, string> {
  if (user === null || project === null || !HEADER_WORD.test(user) || !HEADER_WORD.test(project)) {
    throw new ImageNotAuthorized(imageId);
  }
  const others = roles.filter((role) => role !== "admin" && HEADER_WORD.test(role));
  return {
    "X-Identity-Status": "Confirmed",
    "X-User-Id": user,
    "X-Project-Id": project,
    "X-Roles": [...(is_admin ? ["admin"] : []), ...others].join(","),
  };
}

/** A message may name secrets below the prefix only: it must not have others sent to an image service. */
function passedSecret({ auth_secret: name }: RequestContext, prefix: string, imageId: string): string {
  if (typeof name !== "string" || !name.startsWith(prefix)) {
    throw new ImageNotAuthorized(imageId);
  }
  return name;
}

function tokenHeader({ token }: { token: string }): Record<string, string> {
  return { "X-Auth-Token": token };
}

/** @throws GlanceConnectionFailed that names the secret and never shows it */
async function read<Schema extends v.GenericSchema>(
  secrets: Secrets,
  name: string,
  schema: Schema,
  renewed = false,
): Promise<v.InferOutput<Schema>> {
  let value: unknown;
  try {
    value = JSON.parse(await secrets.read(name, renewed));
  } catch {
    throw new GlanceConnectionFailed(`the secret ${name} cannot be read as JSON`);
  }
  const result = v.safeParse(schema, value);
  if (!result.success) {
    throw new GlanceConnectionFailed(`the secret ${name} lacks what the authentication needs`);
  }
  return result.output;
}

type KeystoneAuth = Extract<GlanceAuth, { type: "password" | "application_credential" }>;

/** Gives a token that is still good for a while; one request to Keystone at a time. */
function keystoneTokens(auth: KeystoneAuth, secrets: Secrets, clock: Clock): (renewed: boolean) => Promise<string> {
  let known: { token: string; expiresAt: number } | undefined;
  let asking: Promise<string> | undefined;
  return (renewed) => {
    if (known !== undefined && !renewed && known.expiresAt - clock.now().getTime() > RENEW_BEFORE_MS) {
      return Promise.resolve(known.token);
    }
    asking ??= authenticate(auth, secrets, renewed)
      .then((answer) => {
        known = answer;
        return answer.token;
      })
      .finally(() => (asking = undefined));
    return asking;
  };
}

/** POST /v3/auth/tokens of Keystone's API; the catalog is not needed, because the servers are configured. */
async function authenticate(
  auth: KeystoneAuth,
  secrets: Secrets,
  renewed: boolean,
): Promise<{ token: string; expiresAt: number }> {
  const body = JSON.stringify({ auth: await credentials(auth, secrets, renewed) });
  let answer: Response;
  try {
    answer = await fetch(`${auth.auth_url.replace(/(\/v3)?\/*$/, "")}/v3/auth/tokens?nocatalog`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
      redirect: "error",
      signal: AbortSignal.timeout(KEYSTONE_TIMEOUT_MS),
    });
  } catch {
    throw new GlanceConnectionFailed(`Keystone at ${new URL(auth.auth_url).host} does not answer`);
  }
  const token = answer.headers.get("X-Subject-Token");
  const parsed = v.safeParse(KeystoneAnswer, await answer.json().catch(() => undefined));
  if (answer.status !== 201 || token === null || !parsed.success) {
    throw new GlanceConnectionFailed(`Keystone at ${new URL(auth.auth_url).host} answered ${answer.status}`);
  }
  return { token, expiresAt: Date.parse(parsed.output.token.expires_at) };
}

/** An application credential has its project; naming a scope too is an error. */
async function credentials(auth: KeystoneAuth, secrets: Secrets, renewed: boolean): Promise<unknown> {
  if (auth.type === "application_credential") {
    const { id, secret } = await read(secrets, auth.secret, CredentialSecret, renewed);
    return { identity: { methods: ["application_credential"], application_credential: { id, secret } } };
  }
  const { password } = await read(secrets, auth.secret, PasswordSecret, renewed);
  const user = { name: auth.username, domain: { name: auth.user_domain_name }, password };
  return {
    identity: { methods: ["password"], password: { user } },
    scope: { project: { name: auth.project_name, domain: { name: auth.project_domain_name } } },
  };
}
