import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import {
  GlanceConnectionFailed,
  ImageCopyFailure,
  ImageNotAuthorized,
  ImageNotFound,
  InvalidInput,
} from "../../core/errors.ts";
import { foreignText } from "../../core/text/foreign-text.ts";
import { MASK } from "../../core/text/secrets.ts";
import { steadyBytes, WINDOW_MS } from "../steady-bytes.ts";

/** How long an answer to a small request may take: a try with each of a few servers must fit a function of 30 s. */
const ANSWER_MS = 6_000;

/** Silence before the bytes of an image after which a server counts as gone; within them too few bytes count as silence. */
const SILENCE_MS = WINDOW_MS;

/** Pause between two tries, as Cinder's GlanceClientWrapper makes it. */
const RETRY_PAUSE_MS = 1_000;

/** Statuses after which the next server is asked: the request itself was correct. */
const UNAVAILABLE: readonly number[] = [429, 500, 502, 503, 504];

/** Longest cut of an error's text that is kept, and most of it that is read. */
const LONGEST_REASON = 200;
const MOST_ERROR_BYTES = 4_096;

/** Larger than any image's metadata of use. */
const LARGEST_DOCUMENT_BYTES = 2 ** 20;

/** The times above, for tests to shorten. */
export type Patience = { answerMs: number; silenceMs: number; retryPauseMs: number };

/** See {@link Patience}. */
export const PATIENCE: Patience = { answerMs: ANSWER_MS, silenceMs: SILENCE_MS, retryPauseMs: RETRY_PAUSE_MS };

/** A GET to whichever server answers. */
export type ServerRequest = {
  /** Below the server's own address, such as `v2/images/ID`. */
  path: string;
  imageId: string;
  /** Whether the image's bytes are asked for, which may take longer to begin. */
  data?: boolean;
  /** Identifies the caller; called again, with `renewed`, after a 401. */
  headers(renewed: boolean): Promise<Record<string, string>>;
  signal?: AbortSignal | undefined;
};

/** Servers, asked in this order, repeatedly, with `retries` retries. */
export type Servers = { urls: readonly string[]; retries: number; patience: Patience };

/**
 * Asks servers in turn until one answers; an answer with a status below 300, or one of `accepted`, is returned unchanged. Each request has
 * its own connection, because a kept one may have closed while the function was frozen. Redirects are not followed, because they would
 * carry the token to another host.
 *
 * @throws GlanceConnectionFailed when no try got an answer; ImageNotFound, ImageNotAuthorized, InvalidInput and ImageCopyFailure by
 *   status, as `_translate_image_exception` of cinder/image/glance.py has it
 */
export async function ask(
  { urls, retries, patience }: Servers,
  request: ServerRequest,
  accepted: readonly number[] = [],
): Promise<IncomingMessage> {
  let renewed = false;
  let reason = "";
  const tokens = new Set<string>();
  for (let attempt = 0; attempt <= retries; attempt += 1) {
    if (attempt > 0) {
      await delay(patience.retryPauseMs, undefined, request.signal === undefined ? {} : { signal: request.signal });
    }
    const server = urls[attempt % urls.length] ?? "";
    let answer = await get(server, request, false, patience, tokens);
    if (typeof answer !== "string" && answer.statusCode === 401 && !renewed) {
      renewed = true;
      answer.destroy();
      answer = await get(server, request, true, patience, tokens);
    }
    if (typeof answer === "string") {
      reason = `${new URL(server).host}: ${answer}`;
      continue;
    }
    const status = answer.statusCode ?? 0;
    if (status < 300 || accepted.includes(status)) {
      return answer;
    }
    if (!UNAVAILABLE.includes(status) && status >= 400) {
      await refuse(answer, status, request.imageId, patience, tokens);
    }
    answer.destroy();
    reason = `${new URL(server).host} answered ${status}${status < 400 ? ", a redirect, which is not followed" : ""}`;
  }
  throw new GlanceConnectionFailed(reason);
}

/** The answer, or the reason why there is none. Records the sent token in `tokens`. */
async function get(
  server: string,
  request: ServerRequest,
  renewed: boolean,
  patience: Patience,
  tokens: Set<string>,
): Promise<IncomingMessage | string> {
  const headers = await request.headers(renewed);
  const { "X-Auth-Token": token } = headers;
  if (token !== undefined) {
    tokens.add(token);
  }
  const url = new URL(`${server.replace(/\/+$/, "")}/${request.path}`);
  const waitMs = request.data === true ? patience.silenceMs : patience.answerMs;
  try {
    return await send(url, headers, waitMs, request.signal);
  } catch (error) {
    request.signal?.throwIfAborted();
    return reasonOf(error);
  }
}

function send(
  url: URL,
  headers: Record<string, string>,
  waitMs: number,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, {
    headers,
    agent: false,
    ...(signal === undefined ? {} : { signal }),
  });
  const timer = setTimeout(() => outgoing.destroy(new Error(`no answer in ${waitMs / 1000} s`)), waitMs);
  outgoing.on("response", resolve).on("error", reject).end();
  return promise.finally(() => clearTimeout(timer));
}

function reasonOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return foreignText(code ?? message ?? "unreachable", LONGEST_REASON);
}

/**
 * Error bodies are HTML: only a cut of the text is kept, for the reason. A service may echo the token that it refuses, so the tokens
 * that were sent are masked wherever they stand.
 */
async function refuse(
  answer: IncomingMessage,
  status: number,
  imageId: string,
  { answerMs }: Patience,
  tokens: ReadonlySet<string>,
): Promise<never> {
  const body = await bytesOf(answer, MOST_ERROR_BYTES, answerMs).then(String, () => "");
  const text = textOf([...tokens].reduce((masked, token) => masked.replaceAll(token, MASK), body));
  switch (status) {
    case 401:
    case 403:
      throw new ImageNotAuthorized(imageId);
    case 404:
      throw new ImageNotFound(imageId);
    case 400:
      throw new InvalidInput(`the image service refuses the request for image ${imageId}: ${text}`);
    case 416:
      throw new ImageCopyFailure(`the size of image ${imageId} changed while it was read`);
    default:
      throw new ImageCopyFailure(`the image service answered ${status} for image ${imageId}: ${text}`);
  }
}

function textOf(html: string): string {
  const text = html
    .replaceAll(/<title>[\s\S]*?<\/title>|<[^>]*>/gi, " ")
    .replaceAll(/\s+/g, " ")
    .trim();
  return foreignText(text, LONGEST_REASON);
}

/**
 * The document that a server answers with.
 *
 * @throws GlanceConnectionFailed when it is not valid JSON, too large, or breaks off: the server is then not a Glance
 */
export async function readJson(answer: IncomingMessage, imageId: string, { answerMs }: Patience): Promise<unknown> {
  let bytes: Buffer;
  try {
    bytes = await bytesOf(answer, LARGEST_DOCUMENT_BYTES + 1, answerMs);
  } catch (error) {
    throw new GlanceConnectionFailed(`the answer for image ${imageId} broke off: ${reasonOf(error)}`);
  }
  try {
    if (bytes.length <= LARGEST_DOCUMENT_BYTES) {
      return JSON.parse(bytes.toString("utf8"));
    }
  } catch {
    // V8's message quotes the unreadable text.
  }
  throw new GlanceConnectionFailed(`the answer for image ${imageId} is not valid JSON of at most 1 MiB`);
}

/** The first bytes of a body, which must have come in time; the rest is not read. */
async function bytesOf(answer: IncomingMessage, most: number, waitMs: number): Promise<Buffer> {
  const timer = setTimeout(() => answer.destroy(new Error(`no end in ${waitMs / 1000} s`)), waitMs);
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of answer as AsyncIterable<Buffer>) {
      pieces.push(piece);
      length += piece.length;
      if (length >= most) {
        break;
      }
    }
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(pieces).subarray(0, most);
}

/**
 * The bytes of an image, which break off when too few come: see `steadyBytes`.
 *
 * @throws GlanceConnectionFailed when the connection or the server is lost, or too slow; the signal's reason when that was aborted
 */
export function imageBytes(
  body: IncomingMessage,
  imageId: string,
  { silenceMs }: Patience,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const failed = (error: unknown) => new GlanceConnectionFailed(`image ${imageId} broke off: ${reasonOf(error)}`);
  return steadyBytes(body, failed, signal, silenceMs);
}
