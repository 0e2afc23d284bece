import { RemoteConnections } from "../../adapters/lambda/connections.ts";
import { NO_AUTHENTICATION, type Authenticator } from "../../core/api/authentication.ts";
import type { ApiDependencies } from "../../core/api/dependencies.ts";
import type { ApiResponse, Caller } from "../../core/api/http.ts";
import { apiRoutes } from "../../core/api/routes.ts";
import { serve } from "../../core/api/serve.ts";
import { callDriver } from "../../core/drivers/call-driver.ts";
import { DriverCallSchema } from "../../core/drivers/driver-call.ts";
import { parseOrThrow } from "../../core/requests/parsing.ts";
import type { World } from "./fakes/world.ts";

/** A UUID by its number. */
export function idOf(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}

/** Callers by their token. */
export const CALLERS: Readonly<Record<string, Caller>> = {
  member: { userId: "user", projectId: "a1b2", roles: ["member", "reader"], isAdmin: false },
  reader: { userId: "reader", projectId: "a1b2", roles: ["reader"], isAdmin: false },
  other: { userId: "other", projectId: "c3d4", roles: ["member", "reader"], isAdmin: false },
  admin: { userId: "root", projectId: "ad00", roles: ["admin"], isAdmin: true },
};

const BY_TOKEN: Authenticator = {
  challenge: 'Keystone uri="http://keystone/v3"',
  authenticate: async (token) => CALLERS[token ?? ""],
};

/** The differences of a request from a member's without a body. */
export type Asked = {
  token?: string;
  body?: unknown;
  headers?: Record<string, string>;
  version?: string;
};

/** The API over a world in memory. */
export class Api {
  readonly failures: unknown[] = [];
  /** Functions that were started, with their events. */
  readonly started: [string, Record<string, unknown>][] = [];
  readonly deps: ApiDependencies;
  readonly #authenticator: Authenticator;
  #ids = 0;

  constructor(world: World, authenticator: Authenticator = BY_TOKEN) {
    this.#authenticator = authenticator;
    this.deps = {
      ...world.deps,
      imagesFor: () => world.deps.images,
      connections: new RemoteConnections((request) =>
        callDriver(world.deps, parseOrThrow(DriverCallSchema, JSON.parse(JSON.stringify(request)), "driver call")),
      ),
      work: { start: async (name, event) => void this.started.push([name, event]) },
      newId: () => idOf((this.#ids += 1)),
      zones: ["nova", "second"],
      defaultVolumeType: "__DEFAULT__",
      serviceDownSeconds: 300,
    };
  }

  static withoutAuthentication(world: World): Api {
    return new Api(world, NO_AUTHENTICATION);
  }

  /** Asks for `METHOD /path`, below `/v3/{project}` of the caller unless the path begins with a slash twice. */
  async ask(what: string, { token = "member", body, headers = {}, version }: Asked = {}): Promise<ApiResponse> {
    const [method = "", target = ""] = what.split(" ");
    const project = CALLERS[token]?.projectId ?? "a1b2";
    const url = target.startsWith("//") ? target.slice(1) : `/v3/${project}${target}`;
    const [path = "", query = ""] = url.split("?");
    return serve(
      {
        routes: apiRoutes(this.deps),
        authenticator: this.#authenticator,
        newId: () => idOf(999),
        reportFailure: (_requestId, error) => void this.failures.push(error),
      },
      {
        method,
        path,
        query: new URLSearchParams(query),
        headers: {
          host: "api.example",
          ...(token === "" ? {} : { "x-auth-token": token }),
          ...(version !== undefined && { "openstack-api-version": `volume ${version}` }),
          ...headers,
        },
        body: body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body),
      },
    );
  }
}

/** The message of an answer that is an error. Empty when there is none. */
export function messageOf({ body }: { body: unknown }): string {
  return Object.values(body as Record<string, { message: string }>)[0]?.message ?? "";
}
