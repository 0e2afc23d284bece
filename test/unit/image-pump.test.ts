import { describe, expect, onTestFinished, test, vi } from "vitest";
import { type ImageSink, pump, STAGING_SINK } from "../../adapters/file/image-pump.ts";
import { TurnEnded, TurnWatch } from "../../adapters/file/turn-watch.ts";
import { MIB, sparseContent } from "../support/drivers.ts";
import { RecordingFile } from "../support/recording-file.ts";

/** One pass over an image, with a file that knows what would survive a power cut. */
function aPass(
  content: Buffer,
  parts: { size?: number; body?: (signal: AbortSignal) => AsyncIterable<Uint8Array>; sink?: ImageSink } = {},
) {
  const file = new RecordingFile();
  const state = { isMine: true, remainingMs: 900_000 };
  const cursor = { offset: 0, hasher: null };
  /** The durable bytes and the cursor, each time that progress was saved. */
  const kept: { offset: number; durable: Buffer }[] = [];
  const remainingTimeMs = () => state.remainingMs;
  const watch = new TurnWatch({ isMine: async () => state.isMine }, remainingTimeMs);
  const pass = {
    file: file.handle,
    watch,
    sink: parts.sink ?? STAGING_SINK,
    size: parts.size ?? content.length,
    imageId: "image",
    body: parts.body?.(watch.signal) ?? piecesOf(content),
    from: 0,
    remainingTimeMs,
    keep: async () => {
      file.events.push("kept");
      kept.push({ offset: cursor.offset, durable: Buffer.from(file.durable) });
    },
  };
  return { file, state, cursor, kept, watch, run: () => pump(pass, cursor) };
}

async function* piecesOf(content: Buffer, bytes = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += bytes) {
    yield content.subarray(at, at + bytes);
  }
}

async function* repeated(piece: Buffer, times: number): AsyncGenerator<Uint8Array> {
  for (let time = 0; time < times; time += 1) {
    yield piece;
  }
}

const CONTENT = sparseContent(7 * MIB + 1000, 1, 1);

describe("progress", () => {
  test("is kept only when every byte before it would survive a power cut", async () => {
    const { file, state, kept, run, cursor } = aPass(CONTENT);
    file.writeTurns = 40;
    state.remainingMs = 1000;
    expect(await run()).toBe(false);
    expect(kept.map(({ offset }) => offset)).toEqual([MIB]);
    expect(kept[0]?.durable.equals(CONTENT.subarray(0, MIB))).toBe(true);
    expect(cursor.offset).toBe(MIB);
    expect(file.events).toEqual(["write", "written", "datasync", "datasynced", "kept"]);
  });

  test("is kept at every 192 MiB, and the writes of others do not overtake it", async () => {
    const mebibyte = Buffer.alloc(MIB, 3);
    const { file, kept, run } = aPass(Buffer.alloc(0), { size: 400 * MIB, body: () => repeated(mebibyte, 400) });
    // Only the order matters here, not the content: an empty file.
    vi.spyOn(file, "write").mockImplementation(async (_bytes, _start, length) => {
      file.events.push("write");
      await new Promise(setImmediate);
      file.events.push("written");
      return { bytesWritten: length };
    });
    expect(await run()).toBe(true);
    expect(kept.map(({ offset }) => offset)).toEqual([192 * MIB, 384 * MIB]);
    file.events.forEach((event, index) => {
      if (event === "kept") {
        const before = file.events.slice(0, index);
        const count = (name: string) => before.filter((one) => one === name).length;
        expect(count("write")).toBe(count("written"));
        expect(before.lastIndexOf("datasync")).toBeGreaterThan(before.lastIndexOf("written"));
        expect(before.at(-1)).toBe("datasynced");
      }
    });
  });

  test("is not kept when the disk says at the checkpoint that it has lost what was written", async () => {
    const { file, state, kept, run } = aPass(CONTENT);
    state.remainingMs = 1000;
    file.syncFailures.push(new Error("EIO"));
    await expect(run()).rejects.toThrow("EIO");
    expect(kept).toEqual([]);
  });

  test.each(["write", "datasync"] as const)(
    "is not reported as complete when the last %s after it fails",
    async (call) => {
      const { file, run } = aPass(sparseContent(17 * MIB, 1, 1));
      let calls = 0;
      const real = file[call].bind(file) as (...args: unknown[]) => Promise<never>;
      vi.spyOn(file, call).mockImplementation(async (...args: unknown[]) => {
        calls += 1;
        if (call === "datasync" || calls === 17) {
          throw new Error("EIO");
        }
        return real(...args);
      });
      await expect(run()).rejects.toThrow("EIO");
    },
  );

  test("is reported as complete only when all of it is written", async () => {
    const { file, run } = aPass(CONTENT);
    file.writeTurns = 30;
    expect(await run()).toBe(true);
    expect(file.written.equals(CONTENT)).toBe(true);
  });
});

describe("a pass", () => {
  test("that was taken over places nothing and is not whole", async () => {
    const { file, state, run } = aPass(CONTENT);
    state.isMine = false;
    expect(await run()).toBe(false);
    expect(file.events).toEqual([]);
  });

  test("that is taken over when all has passed is not whole", async () => {
    const taken: ImageSink = {
      stepEnd: async (_from, to) => to,
      place: async (_buffer, _start, _end, position) => {
        all.state.isMine = position < 7 * MIB;
        return 1;
      },
    };
    const all = aPass(CONTENT, { sink: taken });
    expect(await all.run()).toBe(false);
  });

  test("stops within a step when the sink looks and the time is over, and keeps what was before the step", async () => {
    const sink: ImageSink = {
      ...STAGING_SINK,
      place: async (buffer, start, end, position, writes, look) => {
        const placed = await STAGING_SINK.place(buffer, start, end, position, writes, look);
        if (position >= 2 * MIB) {
          all.state.remainingMs = 1000;
          await look();
        }
        return placed;
      },
    };
    const all = aPass(CONTENT, { sink });
    await expect(all.run()).rejects.toMatchObject({ name: "TurnEnded", why: "late" });
    expect(all.kept.map(({ offset }) => offset)).toEqual([2 * MIB]);
    expect(all.kept[0]?.durable.subarray(0, 2 * MIB).equals(CONTENT.subarray(0, 2 * MIB))).toBe(true);
  });

  test("stops within a step when another call has taken over, and keeps nothing", async () => {
    const sink: ImageSink = {
      stepEnd: async (_from, to) => to,
      place: async (_buffer, _start, _end, _position, _writes, look) => {
        all.state.isMine = false;
        await look();
        return 1;
      },
    };
    const all = aPass(CONTENT, { sink });
    await expect(all.run()).rejects.toMatchObject({ name: "TurnEnded", why: "taken over" });
    expect(all.kept).toEqual([]);
  });

  test("of an image that sends more than its size is refused", async () => {
    const { run } = aPass(CONTENT, { body: () => piecesOf(Buffer.concat([CONTENT, Buffer.alloc(1)])) });
    await expect(run()).rejects.toMatchObject({
      name: "ImageCopyFailure",
      message: expect.stringContaining("more than"),
    });
  });
});

/** The answer of a pass, or the reason why its turn ended. */
function outcomeOf(run: Promise<boolean>): Promise<unknown> {
  return run.catch((error: unknown) => (error instanceof TurnEnded ? error.why : error));
}

describe("an image service that stops sending", () => {
  /** Sends some bytes and then nothing, until the signal is aborted. */
  async function* stalling(content: Buffer, bytes: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    yield content.subarray(0, bytes);
    await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
  }

  test.each(["late", "taken over"] as const)("does not hold a turn that is %s", async (why) => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    onTestFinished(() => void vi.useRealTimers());
    const all = aPass(CONTENT, { body: (signal) => stalling(CONTENT, MIB + 5000, signal) });
    all.watch.start();
    const outcome = outcomeOf(all.run());
    await vi.waitFor(() => expect(all.file.events).toContain("written"));
    if (why === "late") {
      all.state.remainingMs = 30_000;
    } else {
      all.state.isMine = false;
    }
    vi.advanceTimersByTime(1000);
    expect(await outcome).toBe(why === "late" ? false : why);
    all.watch.stop();
    // Bytes that came before the end of a turn are placed and kept.
    expect(all.kept.map(({ offset }) => offset)).toEqual(why === "late" ? [MIB + 5000] : []);
  });

  test("holds a turn that has made no step until its last moment, and then ends it", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    onTestFinished(() => void vi.useRealTimers());
    const all = aPass(CONTENT, { body: (signal) => stalling(CONTENT, 0, signal) });
    all.watch.start();
    const outcome = outcomeOf(all.run());
    all.state.remainingMs = 1000;
    await vi.advanceTimersByTimeAsync(1000);
    expect(all.watch.ended).toBeUndefined();
    all.state.remainingMs = 700;
    await vi.advanceTimersByTimeAsync(1000);
    expect(await outcome).toBe("late");
    all.watch.stop();
    expect([all.kept, all.file.events]).toEqual([[], []]);
  });
});
