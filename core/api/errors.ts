import { describeError } from "../errors.ts";

/** Names of the object around an error, by status (`_fault_names` of cinder/api/openstack/wsgi.py). */
const FAULT_NAMES: Readonly<Record<number, string>> = {
  400: "badRequest",
  403: "forbidden",
  404: "itemNotFound",
  405: "badMethod",
  409: "conflictingRequest",
  413: "overLimit",
  415: "badMediaType",
  503: "serviceUnavailable",
};

/** Further parts of an error's answer. */
export type ErrorDetails = {
  /** The microversion that the answer's header repeats, where the request's own was refused. */
  version?: string;
};

/** An answer other than success. Its message reaches the client. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly details: ErrorDetails;

  constructor(status: number, message: string, details: ErrorDetails = {}) {
    super(message);
    this.status = status;
    this.details = details;
  }
}

/** 400, with the problem. */
export function badRequest(message: string): ApiError {
  return new ApiError(400, message);
}

/** 400 as Cinder says it of bad values (`exception.InvalidInput`). */
export function invalidInput(reason: string): ApiError {
  return badRequest(`Invalid input received: ${reason}`);
}

/** 404 for a thing that does not exist, or that the caller may not see. */
export function notFound(message: string): ApiError {
  return new ApiError(404, message);
}

/** 403 by the name of the policy's rule. */
export function forbidden(rule: string): ApiError {
  return new ApiError(403, `Policy doesn't allow ${rule} to be performed.`);
}

/** 413: a quota or a limit; the message begins with the name of Cinder's exception. */
export function overLimit(message: string): ApiError {
  return new ApiError(413, message);
}

/** Statuses of the core's own errors; any other error is a fault of the service. */
const STATUS_OF_CORE: Readonly<Record<string, number>> = {
  InvalidInput: 400,
  InvalidVolume: 400,
  InvalidVolumeAttachMode: 400,
  InvalidSnapshot: 400,
  VolumeNotFound: 404,
  SnapshotNotFound: 404,
  VolumeTypeNotFound: 404,
  VolumeTypeNotFoundByName: 404,
};

/** The error as an answer; undefined for an error that says nothing to the client. */
export function asApiError(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) {
    return error;
  }
  const { name, message } = describeError(error);
  const status = Object.hasOwn(STATUS_OF_CORE, name) ? STATUS_OF_CORE[name] : undefined;
  return status === undefined ? undefined : new ApiError(status, message);
}

/** The body of an error. */
export function faultBody(status: number, message: string): unknown {
  const name = FAULT_NAMES[status] ?? "computeFault";
  return { [name]: { code: status, message, ...(status === 413 && { retryAfter: "0" }) } };
}
