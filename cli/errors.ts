import { readFile } from "node:fs/promises";
import { describeError } from "../core/errors.ts";
import { oneLine } from "./safe-text.ts";

/** Exit statuses of the command line. */
export const EXIT = { success: 0, failure: 1, usage: 2, interrupted: 130 } as const;

/** A failure that is reported in one line, with what to do about it. */
export class CliError extends Error {
  override readonly name: string;
  readonly hint: string | undefined;
  readonly exitStatus: number;
  constructor(message: string, options: { hint?: string; exitStatus?: number; name?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = options.name ?? "CliError";
    this.hint = options.hint;
    this.exitStatus = options.exitStatus ?? EXIT.failure;
  }
}

/** The command line is invalid: exit status 2. */
export class UsageError extends CliError {
  constructor(message: string, hint?: string) {
    super(message, {
      name: "UsageError",
      exitStatus: EXIT.usage,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/** Ctrl-C ended the command; the message says what continues without it. */
export class Interrupted extends CliError {
  constructor(message: string) {
    super(message, { name: "Interrupted", exitStatus: EXIT.interrupted });
  }
}

/** The command ran another one, which has reported its own errors: this one ends with its status. */
export class CommandEnded extends CliError {
  constructor(exitStatus: number) {
    super(`the command ended with status ${exitStatus}`, { name: "CommandEnded", exitStatus });
  }
}

/** A failure as it is shown. */
export type ErrorReport = {
  name: string;
  message: string;
  hint: string | null;
  exitStatus: number;
};

const HINT_OUTPUTS = "do the outputs belong to this deployment? Name it with --outputs FILE or --stack NAME";
const HINT_CREDENTIALS = "check the AWS credentials and region of this shell (AWS_PROFILE, AWS_REGION)";
const HINT_CLOUD = "is the embedded cloud running? Start it with: npm start";

const HINT_NETWORK = "check the network, and the endpoints that AWS_ENDPOINT_URL_... name";

/** The hint for an error, by its name. */
const HINTS: Readonly<Record<string, string>> = {
  VolumeNotFound: "`cinderless list` shows the volumes",
  SnapshotNotFound: "`cinderless snapshot list` shows the snapshots",
  VolumeTypeNotFound: "`cinderless type list` shows the types",
  VolumeTypeNotFoundByName: "`cinderless type list` shows the types",
  ImageNotFound: "`cinderless image list` shows the images",
  ResourceNotFoundException: HINT_OUTPUTS,
  NoSuchBucket: HINT_OUTPUTS,
  QueueDoesNotExist: HINT_OUTPUTS,
  ValidationError: HINT_OUTPUTS,
  CredentialsProviderError: HINT_CREDENTIALS,
  UnrecognizedClientException: HINT_CREDENTIALS,
  InvalidClientTokenId: HINT_CREDENTIALS,
  InvalidSignatureException: HINT_CREDENTIALS,
  ExpiredTokenException: HINT_CREDENTIALS,
  ExpiredToken: HINT_CREDENTIALS,
  AccessDenied: HINT_CREDENTIALS,
  AccessDeniedException: HINT_CREDENTIALS,
  InvalidPart: "the uploaded object is missing: is there room where the images are stored?",
};

const CONNECTION_FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "is refused",
  ECONNRESET: "was cut",
  EHOSTUNREACH: "finds no way",
  ENOTFOUND: "finds no such host",
  ETIMEDOUT: "gets no answer",
};

const FILE_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EISDIR: "is a directory, not a file",
  ENOTDIR: "a part of the path is not a directory",
};

/** Makes one line and a hint from any thrown value, whichever package threw it. */
export function explainError(error: unknown): ErrorReport {
  if (error instanceof CliError) {
    return {
      name: error.name,
      message: oneLine(error.message),
      hint: error.hint ?? wordsFor(HINTS, error.name) ?? null,
      exitStatus: error.exitStatus,
    };
  }
  const system = systemErrorOf(error);
  const connectionFailure = wordsFor(CONNECTION_FAILURES, system?.code ?? "");
  if (system !== undefined && connectionFailure !== undefined) {
    const message = `the connection${system.target === "" ? "" : ` to ${system.target}`} ${connectionFailure}`;
    const isLocal = /^(127\.|::1|localhost|$)/.test(system.target);
    return { name: "ConnectionError", message, hint: isLocal ? HINT_CLOUD : HINT_NETWORK, exitStatus: EXIT.failure };
  }
  const fileFailure = wordsFor(FILE_FAILURES, system?.code ?? "");
  if (system !== undefined && fileFailure !== undefined && system.path !== "") {
    return {
      name: "FileError",
      message: oneLine(`${system.path}: ${fileFailure}`),
      hint: null,
      exitStatus: EXIT.failure,
    };
  }
  if (error instanceof TypeError && "code" in error && error.code === "ERR_INVALID_URL") {
    const message = oneLine(`'${textOf(error, "input")}' is not a valid address`);
    return { name: "ConnectionError", message, hint: HINT_NETWORK, exitStatus: EXIT.failure };
  }
  const status = statusWithoutError(error);
  if (status !== undefined) {
    const message = `an endpoint answered with HTTP status ${status}, which is not an answer of AWS`;
    return { name: "ConnectionError", message, hint: HINT_NETWORK, exitStatus: EXIT.failure };
  }
  const { name, message } = describeError(error);
  const hint = wordsFor(HINTS, name) ?? (message.startsWith("Region is missing") ? HINT_CREDENTIALS : null);
  return {
    name,
    message: oneLine(message === "" ? name : message),
    hint,
    exitStatus: EXIT.failure,
  };
}

/** The HTTP status of an answer in which an SDK found no error of the service, as of a proxy. */
function statusWithoutError(error: unknown): number | undefined {
  if (!(error instanceof Error) || error.message !== "UnknownError" || !("$metadata" in error)) {
    return undefined;
  }
  const { httpStatusCode } = error.$metadata as { httpStatusCode?: number };
  return httpStatusCode;
}

function wordsFor(table: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

type SystemError = { code: string; target: string; path: string };

/** The error of the operating system inside an error of Node, of an SDK, or of several addresses tried. */
function systemErrorOf(error: unknown, depth = 0): SystemError | undefined {
  if (typeof error !== "object" || error === null || depth > 4) {
    return undefined;
  }
  const inner = "errors" in error && Array.isArray(error.errors) ? error.errors[0] : undefined;
  const found = systemErrorOf(inner, depth + 1);
  if (found !== undefined) {
    return found;
  }
  const code = textOf(error, "code");
  if (Object.hasOwn(CONNECTION_FAILURES, code) || Object.hasOwn(FILE_FAILURES, code)) {
    const address = textOf(error, "address") || textOf(error, "hostname");
    const port = textOf(error, "port");
    return {
      code,
      target: port === "" ? address : `${address}:${port}`,
      path: textOf(error, "path"),
    };
  }
  return systemErrorOf("cause" in error ? error.cause : undefined, depth + 1);
}

function textOf(value: object, key: string): string {
  const found = (value as Record<string, unknown>)[key];
  return typeof found === "string" || typeof found === "number" ? String(found) : "";
}

/** Reads a file of text, named on the command line. @throws CliError that names the file and the problem */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    // Node's error names no path when it can open a file but cannot read it.
    const reason = wordsFor(FILE_FAILURES, systemErrorOf(error)?.code ?? "") ?? describeError(error).message;
    throw new CliError(`${path}: ${reason}`, { name: "FileError", cause: error });
  }
}
