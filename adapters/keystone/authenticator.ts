import { createHash } from "node:crypto";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import * as v from "valibot";
import { ApiError } from "../../core/api/errors.ts";
import type { Authenticator } from "../../core/api/authentication.ts";
import type { Caller } from "../../core/api/http.ts";
import type { Clock } from "../../core/ports.ts";

/** Longest time for which a token counts as valid without asking again; a revoked one lives that long. */
const KEPT_MS = 60_000;

/** Number of cached tokens; beyond it, the oldest one is dropped. */
const KEPT_TOKENS = 1_000;

/** How long Keystone may take, within a function of 30 s. */
const ANSWER_MS = 10_000;

/** Larger than any token's document without its catalog. */
const LARGEST_DOCUMENT_BYTES = 2 ** 20;

/** Characters allowed in a header: Node refuses everything else. */
const TOKEN = /^[\x21-\x7e]{1,8192}$/;

const AccessRules = v.array(v.object({ service: v.string(), method: v.string(), path: v.string() }));

const TokenDocument = v.object({
  token: v.object({
    expires_at: v.pipe(v.string(), v.isoTimestamp()),
    user: v.object({ id: v.string() }),
    project: v.optional(v.object({ id: v.string() })),
    roles: v.optional(v.array(v.object({ name: v.string() })), []),
    application_credential: v.optional(v.object({ access_rules: v.optional(AccessRules) })),
  }),
});

type Known = { caller: Caller | undefined; rules: v.InferOutput<typeof AccessRules> | undefined; until: number };

/** Dependencies of the authenticator. Tests lower `answerMs` and `keptTokens`. */
export type KeystoneOptions = {
  authUrl: string;
  publicUrl?: string | undefined;
  clock: Clock;
  answerMs?: number;
  keptTokens?: number;
};

/**
 * Checks tokens with Keystone as keystonemiddleware does, but in the name of the token itself: a token may validate itself, so no service
 * user and no secret is needed. Keystone's answer is cached for a minute, under the token's hash; the token itself is neither stored nor
 * passed on.
 *
 * @see https://docs.openstack.org/api-ref/identity/v3/#validate-and-show-information-for-token
 */
export class KeystoneAuthenticator implements Authenticator {
  readonly challenge: string;
  readonly #options: KeystoneOptions;
  readonly #url: URL;
  readonly #known = new Map<string, Known>();
  /** Open requests to Keystone, so that many requests with one token ask once. */
  readonly #asking = new Map<string, Promise<Known>>();

  constructor(options: KeystoneOptions) {
    const base = withoutVersion(options.authUrl);
    this.#options = options;
    this.#url = new URL(`${base}/v3/auth/tokens?nocatalog`);
    this.challenge = `Keystone uri="${withoutVersion(options.publicUrl ?? options.authUrl)}/v3"`;
  }

  async authenticate(
    token: string | undefined,
    request: { method: string; path: string },
  ): Promise<Caller | undefined> {
    if (token === undefined || !TOKEN.test(token)) {
      return undefined;
    }
    const hash = createHash("sha256").update(token).digest("base64");
    const now = this.#options.clock.now().getTime();
    let known = this.#known.get(hash);
    if (known === undefined || known.until <= now) {
      known = await this.#validateOnce(hash, token, now);
    }
    const { caller, rules } = known;
    if (caller !== undefined && rules !== undefined && !isAllowedByRules(rules, request)) {
      return undefined;
    }
    if (caller?.projectId === "") {
      throw new ApiError(403, "The token is not scoped to a project.");
    }
    return caller;
  }

  #validateOnce(hash: string, token: string, now: number): Promise<Known> {
    const asking =
      this.#asking.get(hash) ??
      this.#validate(token, now)
        .then((known) => {
          this.#keep(hash, known);
          return known;
        })
        .finally(() => this.#asking.delete(hash));
    this.#asking.set(hash, asking);
    return asking;
  }

  #keep(hash: string, known: Known): void {
    this.#known.delete(hash);
    this.#known.set(hash, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > (this.#options.keptTokens ?? KEPT_TOKENS) && oldest !== undefined) {
      this.#known.delete(oldest);
    }
  }

  async #validate(token: string, now: number): Promise<Known> {
    const { status, body } = await this.#ask(token);
    if ([400, 401, 403, 404].includes(status)) {
      return { caller: undefined, rules: undefined, until: now + KEPT_MS };
    }
    const parsed = v.safeParse(TokenDocument, body);
    if (status !== 200 || !parsed.success) {
      throw unavailable();
    }
    const { expires_at, user, project, roles, application_credential: credential } = parsed.output.token;
    const expiresAt = Date.parse(expires_at);
    const names = roles.map(({ name }) => name.toLowerCase());
    const caller = { userId: user.id, projectId: project?.id ?? "", roles: names, isAdmin: names.includes("admin") };
    return {
      caller: expiresAt > now ? caller : undefined,
      rules: credential?.access_rules,
      until: Math.min(now + KEPT_MS, expiresAt),
    };
  }

  /** Its own connection, because a kept one may have closed while the function was frozen. */
  async #ask(token: string): Promise<{ status: number; body: unknown }> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const send = this.#url.protocol === "https:" ? httpsRequest : httpRequest;
    const outgoing = send(this.#url, {
      agent: false,
      headers: {
        "X-Auth-Token": token,
        "X-Subject-Token": token,
        "OpenStack-Identity-Access-Rules": "1.0",
        Accept: "application/json",
      },
    });
    const timer = setTimeout(
      () => outgoing.destroy(new Error("no answer in time")),
      this.#options.answerMs ?? ANSWER_MS,
    );
    try {
      outgoing.on("response", resolve).on("error", reject).end();
      const answer = await promise;
      const pieces: Buffer[] = [];
      let length = 0;
      for await (const piece of answer as AsyncIterable<Buffer>) {
        pieces.push(piece);
        length += piece.length;
        if (length > LARGEST_DOCUMENT_BYTES) {
          throw new Error("the answer is too large");
        }
      }
      const status = answer.statusCode ?? 0;
      return { status, body: status === 200 ? JSON.parse(Buffer.concat(pieces).toString("utf8")) : undefined };
    } catch {
      throw unavailable();
    } finally {
      clearTimeout(timer);
      outgoing.destroy();
    }
  }
}

function withoutVersion(url: string): string {
  return url.replace(/(\/v3)?\/*$/, "");
}

function unavailable(): ApiError {
  return new ApiError(503, "The identity service does not answer. Try again later.");
}

/** Names under which access rules know this service. */
const SERVICES = ["block-storage", "volumev3", "volume"];

/** `*` is one part of a path, `**` any number of them, `{name}` one part (keystonemiddleware, `_normalize_path` and its pattern). */
function isAllowedByRules(
  rules: v.InferOutput<typeof AccessRules>,
  { method, path }: { method: string; path: string },
): boolean {
  return rules.some(
    (rule) =>
      SERVICES.includes(rule.service) && rule.method.toUpperCase() === method && patternOf(rule.path).test(path),
  );
}

function patternOf(path: string): RegExp {
  const parts = path.split("/").map((part) => {
    if (part === "**") {
      return ".*";
    }
    return /^(\*|\{[^}]*\})$/.test(part)
      ? "[^/]+"
      : part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll(String.raw`\*`, "[^/]*");
  });
  return new RegExp(`^${parts.join("/")}$`);
}
