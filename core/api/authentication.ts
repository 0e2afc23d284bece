import type { Caller } from "./http.ts";

/** Identifies the caller by the request's token. */
export interface Authenticator {
  /**
   * @param token the header X-Auth-Token
   * @param request what is asked for: a token may be limited to some requests
   * @returns undefined when the token is missing, invalid, expired, or not for this request
   * @throws ApiError 403 for a token of no project; 503 when the identity service does not answer
   */
  authenticate(token: string | undefined, request: { method: string; path: string }): Promise<Caller | undefined>;
  /** Header WWW-Authenticate of a 401. */
  readonly challenge: string;
}

/** Project and user of a request without a token, with `noauth`. */
const ANYBODY = "admin";

/**
 * `auth_strategy = noauth` of Cinder: a token is `user:project`, is not checked, and makes every caller an administrator. A request without
 * such a token is of the project and the user `admin`, so that clients without credentials work. For one machine only.
 */
export const NO_AUTHENTICATION: Authenticator = {
  challenge: "",
  authenticate: async (token) => {
    const [userId = "", projectId = ""] = token?.includes(":") === true ? token.split(":") : [];
    return {
      userId: userId || ANYBODY,
      projectId: projectId || ANYBODY,
      roles: ["admin", "member", "reader"],
      isAdmin: true,
    };
  },
};
