import * as errors from "../../../core/errors.ts";

/** Names of the recording that stand for a class of another name. */
const ALIASES: Readonly<Record<string, string>> = { BackendError: "VolumeBackendAPIException" };

/** The name under which an error of a case is raised: `BackendError-caused-by-ImageCopyFailure` is not an ImageCopyFailure. */
export function raisedName(raise: string): string {
  const [name = raise] = raise.split("-caused-by-");
  return ALIASES[name] ?? name;
}

/** The error that a case raises: of its class where this project has one, with the cause that the case names. */
export function errorRaised(raise: string): Error {
  const [, cause] = raise.split("-caused-by-");
  const error = errorNamed(raisedName(raise));
  error.cause = cause === undefined ? undefined : errorNamed(cause);
  return error;
}

function errorNamed(name: string): Error {
  if (!Object.hasOwn(errors.ERROR_ROUTES, name)) {
    return Object.defineProperty(new Error("boom"), "name", { value: name });
  }
  // The constructors differ in what they put into the message, and in nothing else.
  return Reflect.construct(errors[name as errors.ErrorName], ["boom", "boom", "boom"]) as Error;
}
