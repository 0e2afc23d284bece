/**
 * Takes secrets out of what other services made and this one passes on: request specs in notifications, bodies of dead letters.
 * Follows `mask_dict_password` and `mask_password` of oslo.utils (`oslo_utils/strutils.py`), which OpenStack's own logs and
 * notifications pass through.
 */
// @ts-nocheck


/** What stands in a secret's place (`oslo_utils.strutils.mask_password`). */
export const MASK = "***";

/** A key that contains one of these, whatever its case, has a secret for its value (`_SANITIZE_KEYS`, as far as volumes meet them). */
const SECRET_KEY =
  /admin_?pass|password|passwd|passphrase|auth_token|auth_?key|access_key|api_?key|new_pass|secret|sys_pswd|token|private_key|encrypted_key|fernetkey|sslkey|credential|chappassword|service_catalog/i;

/** Path-like, which no token of Keystone's is: UUID and Fernet tokens, the latter in base64url, have no slash. */
const PATH_OF_SECRET = /^(?=.{1,128}$)(?:[A-Za-z0-9_+=.@-]+\/)+[A-Za-z0-9_+=.@-]+$/;

/** Whether the text can be the name of a secret below some prefix, and is no token. */
export function isPathOfSecret(text: string): boolean {
  return PATH_OF_SECRET.test(text);
}

/** A request's context names the secret of its token; the name is none, and a message that is sent again needs it. */
function isSecret(key: string, value: unknown): boolean {
  return (
    SECRET_KEY.test(key) &&
    !(key === "auth_secret" && (value === null || (typeof value === "string" && isPathOfSecret(value))))
  );
}

/** Deeper than any request spec; what nests deeper is cut, so that a hostile message cannot exhaust the stack. */
const DEEPEST = 32;

/** A copy of JSON-like data with the value of every secret's key masked. */
export function maskSecrets(value: unknown, depth = 0): unknown {
  if (depth > DEEPEST) {
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

/** `key: value`, `key=value`, `"key": "value"` and the like, also where the JSON is cut off or escaped once more. */
const SECRET_IN_TEXT = new RegExp(
  `((?:[\\w-]{0,32}(?:${SECRET_KEY.source})[\\w-]{0,32})\\\\*["']?\\s{0,8}[:=]\\s{0,8}\\\\*["']?)([^\\s"'\\\\,;&}\\]]+)`,
  "gi",
);

/** A text with the values of secrets masked, as far as they can be told from the text. */
export function maskSecretText(text: string): string {
  return text.replaceAll(SECRET_IN_TEXT, `$1${MASK}`);
}
