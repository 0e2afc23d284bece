import type { Microversion } from "./microversions.ts";

/** One request to the API, whatever brought it: an HTTP API of API Gateway, or a test. */
export type ApiRequest = {
  method: string;
  /** The path as it was sent, still percent-encoded, without the query. */
  path: string;
  query: URLSearchParams;
  /** By lower-case name. */
  headers: Readonly<Record<string, string>>;
  /** The bytes of the body as text; empty when there is none. */
  body: string;
};

/** One answer. A body is sent as JSON; null is an empty body. */
export type ApiResponse = { status: number; headers: Readonly<Record<string, string>>; body: unknown };

/** The caller, according to Keystone's data of the token (`context.RequestContext` of Cinder). */
export type Caller = {
  userId: string;
  projectId: string;
  roles: readonly string[];
  isAdmin: boolean;
};

/** The request, in the form for a handler. */
export type Call<Body = unknown> = {
  caller: Caller;
  /** `req-` and a UUID; also in the header x-openstack-request-id of the answer. */
  requestId: string;
  version: Microversion;
  /** Percent-decoded parts of the path by their name in the route. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  headers: Readonly<Record<string, string>>;
  body: Body;
  /** Address of the API as the caller reached it, without `/v3`. */
  endpoint: string;
  /** Whether the path named the project; links repeat it only then. */
  projectInPath: boolean;
};

/** Type of an answer without a body where Cinder's handler leaves the type to webob. */
export const HTML = { "Content-Type": "text/html; charset=UTF-8" } as const;

/** A handler's answer: a status, and an optional body. */
export type Answer = { status: number; body?: unknown; headers?: Record<string, string> };
