/**
 * Removes secrets from data that other services produced and this one stores or passes on: request specs in notifications, bodies
 * of dead letters, error texts. Follows `mask_dict_password` and `mask_password` of oslo.utils (`oslo_utils/strutils.py`), which
 * OpenStack's own logs and notifications pass through, and masks addresses by parsing them.
 */

/** Replaces a secret (`oslo_utils.strutils.mask_password`). */
export const MASK = "***";

/** A key that contains one of these, in any case, has a secret as its value (`_SANITIZE_KEYS`, as far as volumes meet them). */
const SECRET_KEY =
  /admin_?pass|password|passwd|pwd|passphrase|auth_token|auth_?key|access_key|api_?key|new_pass|secret|sys_pswd|token|private_key|encrypted_key|fernetkey|sslkey|credential|chappassword|service_catalog|authorization|signature|cookie/i;

/** Path-like, which no token of Keystone's is: UUID and Fernet tokens, the latter in base64url, have no slash. */
const PATH_OF_SECRET = /^(?=.{1,128}$)(?:[A-Za-z0-9_+=.@-]+\/)+[A-Za-z0-9_+=.@-]+$/;

/** Whether the text can be the name of a secret below some prefix, and is not a token. */
export function isPathOfSecret(text: string): boolean {
  return PATH_OF_SECRET.test(text);
}

/** A request's context names the secret of its token. The name is not secret, and a message that is sent again needs it. */
function isSecret(key: string, value: unknown): boolean {
  return (
    SECRET_KEY.test(key) &&
    !(key === "auth_secret" && (value === null || (typeof value === "string" && isPathOfSecret(value))))
  );
}

/** Deepest nesting of a message, as Cinder's casts never reach it. Deeper data is refused at the boundary and cut when masked. */
export const MAX_DEPTH = 100;

/** A copy of JSON-like data with the value of every secret's key masked. Values that nest deeper than {@link MAX_DEPTH} are cut. */
export function maskSecrets(value: unknown, depth = 0): unknown {
  if (depth > MAX_DEPTH) {
    return MASK;
  }
  if (Array.isArray(value)) {
    return value.map((entry) => maskSecrets(entry, depth + 1));
  }
  if (typeof value === "string") {
    return maskSecretText(value);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, isSecret(key, entry) ? MASK : maskSecrets(entry, depth + 1)]),
  );
}

/**
 * Text between a key and its value: the rest of the key, a quote, `:` or `=`, also as a URL has them; the end of an element's name; a comma
 * between quotes, as in a list of pairs.
 */
const SEPARATOR =
  /[\w-]{0,32}(?:(?:\\*["']|%22|%27)?(?:\s|%20|\+){0,8}(?:[:=]|%3[ad])(?:\s|%20|\+){0,8}(?:%22|%27)?|>|\\*["']\s{0,8},\s{0,8}(?=\\*["']))/iy;

/** A value: quoted, to the quote that closes it or, where the text is cut off, to its end; in escaped quotes; a list; a word. */
const VALUE =
  /(?<open>["'])(?:\\[\s\S]|(?!\k<open>)[^\\])*|(?<escaped>\\+["'])(?:(?!\k<escaped>)[\s\S])*|[[{][^\]}]*|[^\s"'\\,;&}\][{<]+/y;

/** The value of the header `Authorization` is the rest of the line: a scheme, and then the secret. */
const REST_OF_LINE = /[^\s"'\\][^\r\n"']*/y;

/** Masks the value behind each key of a secret. One pass, because a text may be made to be slow. */
function maskValues(text: string): string {
  const keys = new RegExp(SECRET_KEY.source, "gi");
  let masked = "";
  let done = 0;
  for (let key = keys.exec(text); key !== null; key = keys.exec(text)) {
    const start = matchAt(SEPARATOR, text, keys.lastIndex)?.end;
    if (start === undefined) {
      continue;
    }
    const isHeader = key[0].toLowerCase() === "authorization";
    const value = (isHeader ? matchAt(REST_OF_LINE, text, start) : undefined) ?? matchAt(VALUE, text, start);
    if (value !== undefined) {
      const quote = value.groups["open"] ?? value.groups["escaped"] ?? "";
      masked += `${text.slice(done, start)}${quote}${MASK}`;
      done = value.end;
      keys.lastIndex = value.end;
    }
  }
  return masked + text.slice(done);
}

function matchAt(
  pattern: RegExp,
  text: string,
  at: number,
): { end: number; groups: Partial<Record<string, string>> } | undefined {
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  return match === null ? undefined : { end: pattern.lastIndex, groups: match.groups ?? {} };
}

/** `Bearer value`, wherever it stands. A word of prose after `basic`, `token` or `password is` has no digit and is short. */
const SCHEME_SECRET =
  /\b(bearer|negotiate)(\s{1,8})[^\s"'\\,;]+|\b(basic|digest|token|password|passphrase)((?:\s{1,8}(?:is|was))?\s{1,8})(?=[\w.~+/=-]*\d|[\w.~+=-]{20})(?![\w.-]+\/)[\w.~+/=-]{8,}/gi;

/** Tokens that are known by their looks: Fernet (Keystone), access keys of AWS. */
const KNOWN_TOKEN = /\bgAAAA[\w-]{3,}=*|\b(?:AKIA|ASIA)[A-Z0-9]{12,}/g;

/** A run of characters that JSON Web Tokens are made of. */
const WEB_TOKEN_RUN = /[\w.-]+/g;

/** The least of a JSON Web Token's header: the beginning of an object in base64url, and eight characters more. */
const LEAST_HEADER = 11;

/**
 * Masks JSON Web Tokens in a run: a header, and the two parts behind it. Part by part, because a pattern that looks for the point behind each
 * possible beginning takes quadratic time.
 */
function maskWebTokens(run: string): string {
  const parts = run.split(".");
  const kept: string[] = [];
  for (let index = 0; index < parts.length; index += 1) {
    const part = parts[index] ?? "";
    const start = index + 1 < parts.length ? part.search(/\beyJ/) : -1;
    const isToken = start >= 0 && part.length - start >= LEAST_HEADER;
    kept.push(isToken ? `${part.slice(0, start)}${MASK}` : part);
    index += isToken ? 2 : 0;
  }
  return kept.join(".");
}

/** A run of characters that an address can be made of. */
const ADDRESS = /[^\s"'<>\\,;]+/g;

/** A text with its secrets masked, as far as they can be recognized in it: values of keys, schemes, tokens, parts of addresses. */
export function maskSecretText(text: string): string {
  return maskValues(text)
    .replaceAll(SCHEME_SECRET, (_match, open: string, gap: string, other: string, otherGap: string) =>
      open === undefined ? `${other}${otherGap}${MASK}` : `${open}${gap}${MASK}`,
    )
    .replaceAll(WEB_TOKEN_RUN, maskWebTokens)
    .replaceAll(KNOWN_TOKEN, MASK)
    .replaceAll(ADDRESS, (run) => (/[:@]/.test(run) ? maskAddress(run) : run));
}

/** Keys that are not secret and help to recognize a message. */
const KNOWN_KEYS: ReadonlySet<string> = new Set(
  (
    "context request_id user_id project_id is_admin roles auth_secret auth_token volume_id image_id snapshot_id source_volid request_spec " +
    "volume_properties resource_properties volume_type extra_specs size availability_zone display_name metadata filter_properties retry " +
    "num_attempts backends hosts exc authorization token password"
  ).split(" "),
);

/** A key that names an id, and the id: `"volume_id": "` and a UUID. */
const KEYED_ID =
  /\b(volume_id|snapshot_id|source_volid)(\\*["']?\s{0,8}:\s{0,8}\\*["']?)([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})(?![\w-])/gi;

/**
 * The structure of a text that cannot be parsed. In such a text no pattern can find the end of a secret, so everything is masked except
 * punctuation, known keys in front of a separator, and the ids behind the keys of ids.
 */
export function maskUnparsable(text: string): string {
  const kept: string[] = [];
  let done = 0;
  for (const id of text.matchAll(KEYED_ID)) {
    kept.push(maskWords(text.slice(done, id.index)), id[0]);
    done = id.index + id[0].length;
  }
  return [...kept, maskWords(text.slice(done))].join("");
}

function maskWords(text: string): string {
  return text.replaceAll(/[^\s{}[\]:,"']+/gu, (word, offset: number) => {
    const isKey = /^["']?\s{0,8}:/.test(text.slice(offset + word.length, offset + word.length + 10));
    return isKey && KNOWN_KEYS.has(word) ? word : MASK;
  });
}

/**
 * An address without its possibly secret parts: user and password, query and fragment. A parser decides what these are, because
 * `https:user:password@host` is an address as well. Text that is not an address loses the part before its last `@`.
 */
export function maskAddress(text: string): string {
  const url = URL.parse(text);
  if (url !== null && url.host !== "") {
    const user = `${url.username}${url.password}` === "" ? "" : `${MASK}@`;
    const query = url.search === "" ? "" : `?${MASK}`;
    const fragment = url.hash === "" ? "" : `#${MASK}`;
    // Text without secrets stays unchanged.
    return `${user}${query}${fragment}` === ""
      ? text
      : `${url.protocol}//${user}${url.host}${url.pathname}${query}${fragment}`;
  }
  const at = text.lastIndexOf("@");
  const head = text.slice(0, at);
  if (at > 0 && head.includes(":")) {
    const authority = head.indexOf("//");
    return `${authority < 0 ? "" : head.slice(0, authority + 2)}${MASK}${withoutQuery(text.slice(at))}`;
  }
  return text.includes("://") ? withoutQuery(text) : text;
}

function withoutQuery(text: string): string {
  return text.replace(/\?.*$/s, `?${MASK}`);
}

/** Whether the text is an http or https address, or one of S3, without user, query or fragment. */
export function isPlainAddress(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null &&
    /^(?:https?|s3):$/.test(url.protocol) &&
    // The parser drops line breaks and takes `https:host` and an empty `?` for addresses; only the plain form is one here.
    /^[a-z0-9]+:\/\/[^\s?#@\\]+$/i.test(text) &&
    `${url.username}${url.password}${url.search}${url.hash}` === ""
  );
}
