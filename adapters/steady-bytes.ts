import type { Readable } from "node:stream";

/**
 * Every {@link WINDOW_MS} of waiting for an image service must bring this many bytes: 35 kB/s. A slower one would occupy a function
 * until its time-out and get no image to its end.
 */
export const WINDOW_BYTES = 2 ** 20;

/** See {@link WINDOW_BYTES}. */
export const WINDOW_MS = 30_000;

/** Checks of the reader within one window: time counts as waiting when the reader waits at the check. */
const LOOKS = 30;

/**
 * The bytes of a body, which breaks off when too few come for too long. The reader's own time does not count.
 *
 * @param failed makes the error to throw from the cause of the interruption
 * @throws what `failed` makes; the signal's reason when that was aborted
 */
export async function* steadyBytes(
  body: Readable,
  failed: (error: unknown) => Error,
  signal: AbortSignal | undefined,
  windowMs = WINDOW_MS,
): AsyncGenerator<Uint8Array> {
  let isWaiting = true;
  let waited = 0;
  let received = 0;
  const timer = setInterval(() => {
    waited += isWaiting ? 1 : 0;
    if (waited < LOOKS) {
      return;
    }
    if (received < WINDOW_BYTES) {
      body.destroy(new Error(`${received} bytes in ${windowMs / 1000} s, and at least ${WINDOW_BYTES} must come`));
    }
    waited = 0;
    received = 0;
  }, windowMs / LOOKS);
  try {
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      isWaiting = false;
      received += piece.length;
      yield piece;
      isWaiting = true;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw failed(error);
  } finally {
    clearInterval(timer);
    body.destroy();
  }
}
