import { backendHost } from "../../backends/backends.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { badRequest, invalidInput, notFound } from "../errors.ts";
import type { Answer, Call } from "../http.ts";
import { type Schema, validateBody } from "../validation.ts";

/** Switching services off and on: a pool that is disabled takes no new volumes. */

const TEXT: Schema = { type: "string", minLength: 1, maxLength: 255 };
const HOST: Schema = {
  type: ["string", "null"],
  minLength: 1,
  maxLength: 255,
  pattern: "^[a-zA-Z0-9-._#@:/+\\[\\]]*$",
};

const PROPERTIES: Readonly<Record<string, Schema>> = {
  binary: TEXT,
  host: HOST,
  cluster: { type: ["string", "null"], minLength: 0, maxLength: 255 },
  service: TEXT,
};

const SCHEMA: Schema = {
  type: "object",
  properties: PROPERTIES,
  anyOf: [{ required: ["binary"] }, { required: ["service"] }],
  additionalProperties: false,
};

const SCHEMAS: Readonly<Record<string, Schema>> = {
  enable: SCHEMA,
  disable: SCHEMA,
  "disable-log-reason": { ...SCHEMA, properties: { ...PROPERTIES, disabled_reason: TEXT } },
};

type Body = { binary?: string; service?: string; host?: string | null; disabled_reason?: string };

/**
 * `PUT /os-services/{verb}`: `enable`, `disable` and `disable-log-reason` of a backend with all of its pools. Interrupted between two
 * pools: the same request completes it. A backend cannot be frozen.
 */
export async function changeService(deps: ApiDependencies, call: Call): Promise<Answer> {
  const verb = call.params["verb"] ?? "";
  const schema = Object.hasOwn(SCHEMAS, verb) ? SCHEMAS[verb] : undefined;
  if (schema === undefined) {
    throw invalidInput(verb === "freeze" || verb === "thaw" ? `${verb} is not supported` : "Unknown action");
  }
  validateBody(schema, call.body);
  const { binary = "", service = "", host = "", disabled_reason: reason } = call.body as Body;
  if (host === null || host === "") {
    throw invalidInput("Host field is missing.");
  }
  const pools = (await deps.backends.list()).filter((pool) => backendHost(pool.host) === host);
  if ((binary || service) !== "cinder-volume" || pools.length === 0) {
    throw notFound(`Service ${binary || service} could not be found on host ${host}.`);
  }
  if (verb === "disable-log-reason" && (reason ?? "").trim() === "") {
    throw badRequest("Missing disabled reason field");
  }
  const disabled = verb !== "enable";
  for (const pool of pools) {
    await deps.backends.setDisabled(pool.host, disabled, disabled ? (reason ?? null) : null);
  }
  return {
    status: 200,
    body: {
      ...(reason !== undefined && { disabled_reason: reason }),
      disabled,
      host,
      service,
      binary,
      status: disabled ? "disabled" : "enabled",
    },
  };
}
