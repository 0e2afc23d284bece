import { InvalidArgumentError } from "commander";
import { validate as isUuid } from "uuid";
import { MAX_VOLUME_SIZE_GIB } from "../core/requests/create-request.ts";
import { canonicalImageReference, IMAGE_REFERENCE_RULE, isImageReference } from "../core/requests/identifiers.ts";
import { isPathOfSecret } from "../core/text/secrets.ts";
import { UsageError } from "./errors.ts";

/**
 * Readers of arguments and options. Readers of options throw commander's InvalidArgumentError, so that the message names the option; all of
 * them end in exit status 2.
 */

const MAX_TEXT_LENGTH = 255;

/** A size in GiB. */
export function parseSize(text: string): number {
  const size = Number(text);
  if (!/^[0-9]+$/.test(text) || size < 1 || size > MAX_VOLUME_SIZE_GIB) {
    throw new InvalidArgumentError("It must be a whole number of GiB, 1 or more.");
  }
  return size;
}

/** A number of GiB that may be 0. */
export function parseMinDisk(text: string): number {
  const size = Number(text);
  if (!/^[0-9]+$/.test(text) || size > MAX_VOLUME_SIZE_GIB) {
    throw new InvalidArgumentError("It must be a whole number of GiB.");
  }
  return size;
}

/** A name, which Cinder keeps in 255 characters. */
export function parseName(text: string): string {
  if (text.length > MAX_TEXT_LENGTH) {
    throw new InvalidArgumentError(`It has ${text.length} characters; ${MAX_TEXT_LENGTH} are allowed.`);
  }
  return text;
}

/** A name for a lookup. */
export function parseTypeName(text: string): string {
  if (text === "") {
    throw new InvalidArgumentError("It must not be empty.");
  }
  return parseName(text);
}

/** Value of an option that must be a UUID; records use its lower-case form. */
export function parseUuidOption(text: string): string {
  if (!isUuid(text)) {
    throw new InvalidArgumentError("It must be a UUID.");
  }
  return text.toLowerCase();
}

/** Whether a reference to an image is its address in an image service, not its id or name. */
export function isImageAddress(text: string): boolean {
  return text.includes("/") || text.includes(":");
}

/** The address of an image. It may hold a password, which commander's own error would show. */
export function parseImageAddress(text: string): string {
  if (!isImageReference(text)) {
    throw new UsageError(`--image ${IMAGE_REFERENCE_RULE}`, "`cinderless image list` shows the ids");
  }
  return canonicalImageReference(text);
}

/** Name of a secret. The given value may be a token instead, which commander's own error would show. */
export function parseSecretName(text: string): string {
  if (!isPathOfSecret(text)) {
    throw new UsageError("--auth-secret must be the name of a secret", "a name such as cinderless/tokens/NAME");
  }
  return text;
}

/** A token of a client: 1 to 255 visible ASCII characters. */
export function parseClientToken(text: string): string {
  if (!/^[\x21-\x7E]{1,255}$/.test(text)) {
    throw new InvalidArgumentError("It must be 1 to 255 visible ASCII characters.");
  }
  return text;
}

const SECONDS = { s: 1, m: 60, h: 3600 } as const;

/** A span of time in milliseconds: `90`, `90s`, `10m` or `2h`. */
export function parseTimeout(text: string): number {
  const [, count, unit] = /^([0-9]+)([smh]?)$/.exec(text) ?? [];
  const seconds = Number(count) * SECONDS[(unit || "s") as keyof typeof SECONDS];
  if (count === undefined || !Number.isSafeInteger(seconds) || seconds < 1) {
    throw new InvalidArgumentError("It must be a span of time such as 90s, 10m or 2h.");
  }
  return seconds * 1000;
}

/** Appends one value. */
export function collectText(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Adds one `key=value`; a repeated key replaces its value. */
export function collectKeyValue(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const separator = text.indexOf("=");
  const key = text.slice(0, separator);
  const value = text.slice(separator + 1);
  if (separator < 1) {
    throw new InvalidArgumentError("It must be key=value.");
  }
  if (Array.from(key).length > MAX_TEXT_LENGTH || Array.from(value).length > MAX_TEXT_LENGTH) {
    throw new InvalidArgumentError(`Key and value have at most ${MAX_TEXT_LENGTH} characters each.`);
  }
  return Object.fromEntries([...Object.entries(before).filter(([known]) => known !== key), [key, value]]);
}
