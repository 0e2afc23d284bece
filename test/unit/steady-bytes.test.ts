import { setImmediate as later } from "node:timers/promises";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { steadyBytes, WINDOW_BYTES, WINDOW_MS } from "../../adapters/steady-bytes.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A reader that counts what it gets, and how reading ended. */
function reading(signal?: AbortSignal) {
  const body = new PassThrough({ highWaterMark: 2 * WINDOW_BYTES });
  const state = { bytes: 0, pause: Promise.resolve(), ended: "" };
  const done = (async () => {
    try {
      for await (const piece of steadyBytes(body, (error) => new Error(`failed: ${String(error)}`), signal)) {
        state.bytes += piece.length;
        await state.pause;
      }
      state.ended = "whole";
    } catch (error) {
      state.ended = error instanceof Error ? error.message : String(error);
    }
  })();
  return { body, state, done };
}

/** Some turns of the event loop: what was sent is read by then. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) {
    await later();
  }
}

describe("a body that is read", () => {
  test("breaks off when a byte comes every 29 seconds", async () => {
    const { body, state } = reading();
    for (let second = 0; second < 31; second += 1) {
      body.write(second % 29 === 0 ? "x" : "");
      await settle();
      vi.advanceTimersByTime(1000);
    }
    await settle();
    expect(state.ended).toBe(`failed: Error: 2 bytes in 30 s, and at least ${WINDOW_BYTES} must come`);
    expect(body.destroyed).toBe(true);
  });

  test("continues as long as enough bytes come in each window", async () => {
    const { body, state, done } = reading();
    for (let window = 0; window < 5; window += 1) {
      body.write(Buffer.alloc(WINDOW_BYTES));
      await settle();
      vi.advanceTimersByTime(WINDOW_MS);
      await settle();
    }
    body.end();
    await done;
    expect(state).toMatchObject({ ended: "whole", bytes: 5 * WINDOW_BYTES });
  });

  test("breaks off when a byte too few comes in a window after a good one", async () => {
    const { body, state } = reading();
    body.write(Buffer.alloc(WINDOW_BYTES));
    await settle();
    vi.advanceTimersByTime(WINDOW_MS);
    body.write(Buffer.alloc(WINDOW_BYTES - 1));
    await settle();
    vi.advanceTimersByTime(WINDOW_MS - 1000);
    await settle();
    expect(state.ended).toBe("");
    vi.advanceTimersByTime(1000);
    await settle();
    expect(state.ended).toContain(`${WINDOW_BYTES - 1} bytes in 30 s`);
  });

  test("does not break off while its reader is busy", async () => {
    const { body, state, done } = reading();
    let resume = () => {};
    state.pause = new Promise((resolve) => (resume = resolve));
    body.write("x");
    await settle();
    vi.advanceTimersByTime(10 * WINDOW_MS);
    resume();
    body.end();
    await done;
    expect(state).toMatchObject({ ended: "whole", bytes: 1 });
  });

  test("throws the reason of an abort, and other causes under their names", async () => {
    const abort = new AbortController();
    const aborted = reading(abort.signal);
    abort.abort(new Error("the turn is over"));
    aborted.body.destroy(new Error("aborted"));
    await aborted.done;
    expect(aborted.state.ended).toBe("the turn is over");
    const lost = reading();
    lost.body.destroy(new Error("ECONNRESET"));
    await lost.done;
    expect(lost.state.ended).toBe("failed: Error: ECONNRESET");
  });

  test("leaves no timer and no open body behind", async () => {
    const { body, done } = reading();
    body.end("x");
    await done;
    expect([vi.getTimerCount(), body.destroyed]).toEqual([0, true]);
  });
});
